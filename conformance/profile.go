package conformance

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/acme-e2e/acme-e2e/conformance/internal/clientcases"
	"github.com/acme-e2e/acme-e2e/conformance/internal/process"
)

// Profile says how to run a client that is a program: the commands for what it
// can do, and where it leaves its files.
type Profile struct {
	Name string `yaml:"name"`
	// Version is a command that prints the client's version.
	Version []string `yaml:"version"`
	// Features are what it can do besides what Commands show.
	Features []Feature `yaml:"features"`
	// Commands are by operation: "issue" is needed.
	Commands map[Operation][]Argument `yaml:"commands"`
	// Certificate and Key are the files that it leaves; {cert_file} and
	// {key_file} when empty.
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// Environment is added to PATH, HOME, TMPDIR and LANG. Variables with a
	// placeholder that stands for nothing are left out.
	Environment map[string]string `yaml:"environment"`
}

// Argument is one argument of a command, or a group of them that is left out
// when a placeholder in it stands for nothing, and repeated for each name when
// it has {each_domain}. In a group an argument such as {eab_kid?} is a condition
// only.
type Argument []string

// UnmarshalYAML reads a string or a list of strings.
func (a *Argument) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*a = Argument{node.Value}
		return nil
	}
	var group []string
	if err := node.Decode(&group); err != nil {
		return err
	}
	*a = Argument(append([]string{""}, group...)) // "" first marks a group
	return nil
}

// Placeholders are the names that commands may have in braces, with what they
// stand for.
func Placeholders() map[string]string {
	return map[string]string{
		"directory": "URL of the CA's directory", "ca_bundle": "PEM file of what to trust to reach the CA", "roots": "PEM file of the roots of what it issues",
		"domain": "the first name", "domains": "all names, separated by commas", "each_domain": "in a group: each name in turn",
		"challenge": "http-01, dns-01 or tls-alpn-01", "http_port": "where to answer http-01; nothing for other challenges", "tls_port": "where to answer tls-alpn-01; nothing for other challenges",
		"dns_server": "host:port of the DNS server to update (RFC 2136) for dns-01; nothing for other challenges", "dns_host": "its host", "dns_port": "its port",
		"dns_key_name": "name of the TSIG key (HMAC-SHA256)", "dns_key_secret": "its secret, base64",
		"email": "contact", "agree_terms": "true, or nothing when the user has not agreed", "eab_kid": "key id of the external account; nothing without", "eab_key": "its MAC key, base64url",
		"profile": "certificate profile; nothing without", "chain": "common name of the issuer to prefer; nothing without",
		"account_key_type": "rsa2048, p256, p384 or ed25519; nothing for the client's choice", "url": "what the operation is about",
		"dir": "the client's working directory", "account_dir": "for account and state", "out": "for certificate and key", "cert_file": "for the chain", "key_file": "for the key",
		"self": "this program",
	}
}

//go:embed presets
var presets embed.FS

// Presets are the names of the profiles that come along.
func Presets() (names []string) {
	files, _ := fs.Glob(presets, "presets/*.yaml")
	for _, file := range files {
		names = append(names, strings.TrimSuffix(path.Base(file), ".yaml"))
	}
	return names
}

// Preset is one of the profiles that come along.
func Preset(name string) (Profile, error) {
	data, err := presets.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		return Profile{}, fmt.Errorf("there is no preset %q: there are %s", name, strings.Join(Presets(), ", "))
	}
	return ParseProfile(data)
}

// ParseProfile reads a profile in YAML. The error says all that is wrong.
func ParseProfile(data []byte) (Profile, error) {
	var p Profile
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&p); err != nil {
		return Profile{}, fmt.Errorf("reading the profile: %w", err)
	}
	return p, p.check()
}

// CommandProfile is the profile of a client that is known by one command only,
// which gets certificates by http-01.
func CommandProfile(args ...string) (Profile, error) {
	p := Profile{Features: []Feature{clientcases.HTTP01}, Commands: map[Operation][]Argument{}}
	if len(args) > 0 {
		p.Name = filepath.Base(args[0])
	}
	for _, arg := range args {
		p.Commands[clientcases.Issue] = append(p.Commands[clientcases.Issue], Argument{arg})
	}
	return p, p.check()
}

// check complains about everything that makes no sense.
func (p Profile) check() error {
	var errs []error
	if len(p.Commands[clientcases.Issue]) == 0 {
		errs = append(errs, errors.New("there is no command for issue"))
	}
	for _, f := range p.Features {
		if !slices.Contains(clientcases.Features(), f) {
			errs = append(errs, fmt.Errorf("features: there is no %q: there are %s", f, joined(clientcases.Features())))
		}
	}
	for _, op := range slices.Sorted(maps.Keys(p.Commands)) {
		if op != clientcases.Issue && !slices.Contains(clientcases.Features(), Feature(op)) {
			errs = append(errs, fmt.Errorf("commands: there is no operation %q", op))
		}
		if c := p.Commands[op]; len(c) > 0 && (len(c[0]) != 1 || c[0][0] == "") {
			errs = append(errs, fmt.Errorf("commands: %s: the first argument is the program, and in no group", op))
		}
		for _, a := range p.Commands[op] {
			for _, text := range a {
				errs = append(errs, checkPlaceholders("commands: "+string(op), text))
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Environment)) {
		errs = append(errs, checkPlaceholders("environment: "+name, p.Environment[name]))
	}
	errs = append(errs, checkPlaceholders("certificate", p.Certificate), checkPlaceholders("key", p.Key))
	return errors.Join(errs...)
}

func joined[T ~string](list []T) string {
	var out []string
	for _, v := range list {
		out = append(out, string(v))
	}
	return strings.Join(out, ", ")
}

func checkPlaceholders(where, text string) error {
	known := Placeholders()
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if _, ok := known[m[1]]; !ok {
			return fmt.Errorf("%s: {%s} stands for nothing: see 'acme-e2e list placeholders'", where, m[1])
		}
	}
	return nil
}

// Client is the client that the profile describes. The error says which program
// there is not.
func (p Profile) Client() (TestedClient, error) {
	if err := p.check(); err != nil {
		return TestedClient{}, err
	}
	for _, op := range slices.Sorted(maps.Keys(p.Commands)) {
		if len(p.Commands[op]) == 0 {
			continue
		}
		program := expand(p.Commands[op], values(Env{}))[0]
		if _, err := exec.LookPath(program); err != nil {
			return TestedClient{}, fmt.Errorf("%s: the command for %s: %w", orUnnamed(p.Name), op, err)
		}
	}
	c := TestedClient{Name: p.Name, Features: slices.Clone(p.Features), Run: p.run}
	for op, command := range p.Commands {
		if op != clientcases.Issue && len(command) > 0 && !slices.Contains(c.Features, Feature(op)) {
			c.Features = append(c.Features, Feature(op))
		}
	}
	c.Files = func(env Env) (string, string) {
		v := values(env)
		return p.file(p.Certificate, v, env.CertFile), p.file(p.Key, v, env.KeyFile)
	}
	return c, nil
}

// VersionCommand is the command that prints the client's version; nothing when
// there is none.
func (p Profile) VersionCommand() (args []string) {
	for _, text := range p.Version {
		arg, _ := fill(text, values(Env{}))
		args = append(args, arg)
	}
	return args
}

func orUnnamed(name string) string {
	if name == "" {
		return "the client"
	}
	return name
}

// file is where something is: patterns stand for the first that there is.
func (p Profile) file(text string, v map[string]string, usual string) string {
	if text == "" {
		return usual
	}
	file, _ := fill(text, v)
	if found, _ := filepath.Glob(file); len(found) > 0 {
		return found[len(found)-1]
	}
	return file
}

func (p Profile) run(ctx context.Context, env Env) error {
	command := p.Commands[env.Operation]
	if command == nil {
		return fmt.Errorf("the profile has no command for %s", env.Operation)
	}
	v := values(env)
	home, tmp := filepath.Join(env.Dir, "home"), filepath.Join(env.Dir, "tmp")
	for _, dir := range []string{home, tmp} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	vars := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + tmp, "LANG=C.UTF-8"}
	for _, name := range slices.Sorted(maps.Keys(p.Environment)) {
		if value, ok := fill(p.Environment[name], v); ok {
			vars = append(vars, name+"="+value)
		}
	}
	args := expand(command, v)
	if filepath.Base(args[0]) != args[0] { // as seen from here, not from the client's directory
		program, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		args[0] = program
	}
	return process.Run(ctx, process.Command{Args: args, Env: vars, Dir: env.Dir, Output: env.Output})
}

// values are the placeholders for a run.
func values(env Env) map[string]string {
	self, _ := os.Executable()
	v := map[string]string{
		"directory": env.Directory, "ca_bundle": env.CABundle, "roots": env.Roots, "domains": strings.Join(env.Domains, ","), "challenge": env.Challenge,
		"email": env.Email, "eab_kid": env.EABKeyID, "eab_key": base64.RawURLEncoding.EncodeToString(env.EABKey), "profile": env.Profile, "chain": env.Chain,
		"account_key_type": env.KeyType, "url": env.URL, "dir": env.Dir, "account_dir": env.AccountDir, "out": filepath.Dir(env.CertFile),
		"cert_file": env.CertFile, "key_file": env.KeyFile, "self": self,
	}
	if len(env.Domains) > 0 {
		v["domain"] = env.Domains[0]
	}
	if env.AgreeTerms {
		v["agree_terms"] = "true"
	}
	switch env.Challenge {
	case "http-01":
		v["http_port"] = strconv.Itoa(env.HTTPPort)
	case "tls-alpn-01":
		v["tls_port"] = strconv.Itoa(env.TLSPort)
	case "dns-01":
		v["dns_server"], v["dns_key_name"], v["dns_key_secret"] = env.DNSServer, env.DNSKeyName, env.DNSKeySecret
		v["dns_host"], v["dns_port"], _ = strings.Cut(env.DNSServer, ":")
	}
	v["each_domain"] = v["domain"]
	for i, name := range env.Domains {
		v["#"+strconv.Itoa(i)] = name
	}
	return v
}
