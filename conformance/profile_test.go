package conformance_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/conformance"
)

// judged are scenarios that show that a profile works: issuance, and two runs
// with one account.
var judged = []string{"rfc8555/7.4/issue", "rfc8555/7.3/account-kept", "rfc8555/6.5/used-once"}

func passes(t *testing.T, p conformance.Profile) {
	t.Helper()
	client, err := p.Client()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skipf("not installed: %v", err)
	}
	require.NoError(t, err)
	report, err := conformance.RunClient(t.Context(), client, conformance.Plan{Select: judged}, conformance.Judgement{})
	require.NoError(t, err)
	for _, r := range report.Results {
		require.Equal(t, "pass", string(r.Verdict), "%s\n%s", r.ID, r.Explain())
	}
	require.Len(t, report.Results, len(judged))
}

func TestPresets(t *testing.T) {
	t.Parallel()
	require.Contains(t, conformance.Presets(), "certbot")
	for _, name := range conformance.Presets() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := conformance.Preset(name)
			require.NoError(t, err)
			require.NotEmpty(t, p.VersionCommand())
			if name == "acme-e2e" {
				return // {self} is the test here: the command's own scripts run it
			}
			passes(t, p)
		})
	}
	_, err := conformance.Preset("nonesuch")
	require.ErrorContains(t, err, "there are acme-e2e, certbot, lego")
}

// TestTheSmallestExample builds the program on x/crypto/acme and judges it by
// its own profile.
func TestTheSmallestExample(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "xcrypto")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", program, "./examples/xcrypto").CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err := os.ReadFile(filepath.Join("examples", "xcrypto", "profile.yaml"))
	require.NoError(t, err)
	p, err := conformance.ParseProfile([]byte(strings.Replace(string(text), "./xcrypto", program, 1)))
	require.NoError(t, err)
	passes(t, p)
}

func TestProfilesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for says, text := range map[string]string{
		"there is no command for issue":                      "name: x\n",
		`there is no "telepathy"`:                            "features: [telepathy]\ncommands: {issue: [x]}\n",
		`there is no operation "dance"`:                      "commands: {issue: [x], dance: [x]}\n",
		"commands: issue: {directry} stands for nothing":     "commands: {issue: [x, \"{directry}\"]}\n",
		"environment: A: {nope} stands for nothing":          "commands: {issue: [x]}\nenvironment: {A: \"{nope}\"}\n",
		"certificate: {nope} stands for nothing":             "commands: {issue: [x]}\ncertificate: \"{nope}\"\n",
		"the first argument is the program":                  "commands: {issue: [[x]]}\n",
		"issue: the first argument is the program":           "commands: {issue: [\"\"]}\n",
		"field commandz not found":                           "commandz: {}\n",
		"cannot unmarshal":                                   "commands: 7\n",
		"there is no command for issue\nfeatures: there is ": "features: [a]\n",
	} {
		_, err := conformance.ParseProfile([]byte(text))
		require.ErrorContains(t, err, says)
	}
	_, err := conformance.CommandProfile()
	require.ErrorContains(t, err, "no command for issue")
}

func FuzzParseProfile(f *testing.F) {
	for _, name := range conformance.Presets() {
		text, err := os.ReadFile(filepath.Join("presets", name+".yaml"))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("commands: {issue: [[\"{each_domain}\", \"{eab_kid?}\"], x]}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := conformance.ParseProfile(text)
		if err == nil {
			require.NotEmpty(t, p.Commands["issue"])
		}
	})
}
