package manager_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acme-e2e/acme-e2e/challenge"
	"github.com/acme-e2e/acme-e2e/client"
	"github.com/acme-e2e/acme-e2e/client/manager"
)

// lookup is an environment.
func lookup(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func with(env map[string]string) map[string]string {
	all := map[string]string{manager.EnvDomains: "a.example"}
	for k, v := range env {
		all[k] = v
	}
	return all
}

func TestVariablesMeanWhatTheTableSays(t *testing.T) {
	defaults := manager.Config{Domains: []string{"a.example"}, DirectoryURL: client.LetsEncrypt, AgreeTerms: true, CertPath: "cert.pem", KeyPath: "key.pem",
		AccountKeyPath: "acme_account.key", ChallengePort: 80, RenewBeforeDays: 30}
	for name, row := range map[string]struct {
		env  map[string]string
		want func(*manager.Config)
	}{
		"defaults":              {nil, func(*manager.Config) {}},
		"blank is unset":        {map[string]string{manager.EnvEmail: " ", manager.EnvChallengePort: "", manager.EnvStaging: " "}, func(*manager.Config) {}},
		"domains":               {map[string]string{manager.EnvDomains: " a.example , b.example,*.c.example,192.0.2.1,"}, func(c *manager.Config) { c.Domains = []string{"a.example", "b.example", "*.c.example", "192.0.2.1"} }},
		"email":                 {map[string]string{manager.EnvEmail: "admin@a.example"}, func(c *manager.Config) { c.Email = "admin@a.example" }},
		"staging":               {map[string]string{manager.EnvStaging: "true"}, func(c *manager.Config) { c.DirectoryURL = client.LetsEncryptStaging }},
		"staging in capitals":   {map[string]string{manager.EnvStaging: "TRUE"}, func(c *manager.Config) { c.DirectoryURL = client.LetsEncryptStaging }},
		"no staging":            {map[string]string{manager.EnvStaging: "false", manager.EnvDirectory: "https://ca.example/dir"}, func(c *manager.Config) { c.DirectoryURL = "https://ca.example/dir" }},
		"directory":             {map[string]string{manager.EnvDirectory: "https://ca.example/dir"}, func(c *manager.Config) { c.DirectoryURL = "https://ca.example/dir" }},
		"directory on loopback": {map[string]string{manager.EnvDirectory: "http://127.0.0.1:14000/dir"}, func(c *manager.Config) { c.DirectoryURL = "http://127.0.0.1:14000/dir" }},
		"paths": {map[string]string{manager.EnvCertPath: "/c", manager.EnvKeyPath: "/k", manager.EnvAccountKeyPath: "/a", manager.EnvTLSCertFile: "/tc", manager.EnvTLSKeyFile: "/tk"},
			func(c *manager.Config) { c.CertPath, c.KeyPath, c.AccountKeyPath = "/c", "/k", "/a" }},
		"paths of the server": {map[string]string{manager.EnvTLSCertFile: "/tc", manager.EnvTLSKeyFile: "/tk"}, func(c *manager.Config) { c.CertPath, c.KeyPath = "/tc", "/tk" }},
		"numbers":             {map[string]string{manager.EnvChallengePort: "5002", manager.EnvRenewBeforeDays: "7"}, func(c *manager.Config) { c.ChallengePort, c.RenewBeforeDays = 5002, 7 }},
	} {
		t.Run(name, func(t *testing.T) {
			want := defaults
			row.want(&want)
			got, err := manager.ConfigFrom(lookup(with(row.env)))
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
}

func TestStagingWinsWithAWarning(t *testing.T) {
	c, err := manager.ConfigFrom(lookup(with(map[string]string{manager.EnvStaging: "1", manager.EnvDirectory: "https://ca.example/dir"})))
	require.NoError(t, err)
	require.Equal(t, client.LetsEncryptStaging, c.DirectoryURL)
	require.Len(t, c.Warnings, 1)
	require.Contains(t, c.Warnings[0], "https://ca.example/dir")
	require.Contains(t, c.Warnings[0], manager.EnvStaging)
}

func TestNoDomainsMeansOff(t *testing.T) {
	for _, domains := range []string{"", " ", "\t\n"} {
		_, err := manager.ConfigFrom(lookup(map[string]string{manager.EnvDomains: domains, manager.EnvChallengePort: "no number"}))
		require.ErrorIs(t, err, manager.ErrDisabled)
	}
}

func TestConfigFromEnvReadsTheEnvironment(t *testing.T) {
	t.Setenv(manager.EnvDomains, "a.example")
	t.Setenv(manager.EnvChallengePort, "5002")
	c, err := manager.ConfigFromEnv()
	require.NoError(t, err)
	require.Equal(t, 5002, c.ChallengePort)
	t.Setenv(manager.EnvDomains, "")
	_, err = manager.ConfigFromEnv()
	require.ErrorIs(t, err, manager.ErrDisabled)
}

func TestEveryBadValueIsNamedAtOnce(t *testing.T) {
	bad := map[string]string{
		manager.EnvDomains:         "a.example,not a name,-b.example",
		manager.EnvEmail:           "nobody",
		manager.EnvStaging:         "maybe",
		manager.EnvDirectory:       "http://ca.example/dir",
		manager.EnvChallengePort:   "70000",
		manager.EnvRenewBeforeDays: "0",
	}
	_, err := manager.ConfigFrom(lookup(bad))
	var all *manager.ConfigError
	require.ErrorAs(t, err, &all)
	named := map[string]int{}
	for _, c := range all.Complaints {
		named[c.Setting]++
		require.Equal(t, bad[c.Setting], c.Value)
		require.NotEmpty(t, c.Expected)
		require.Contains(t, err.Error(), c.Setting)
		require.Contains(t, err.Error(), c.Expected)
	}
	require.ErrorContains(t, err, `"not a name" is not a host name`)
	require.ErrorContains(t, err, `"-b.example" is not a host name`)
	require.Equal(t, map[string]int{manager.EnvDomains: 1, manager.EnvEmail: 1, manager.EnvStaging: 1, manager.EnvDirectory: 1, manager.EnvChallengePort: 1, manager.EnvRenewBeforeDays: 1}, named)
}

func TestSingleBadValues(t *testing.T) {
	for variable, values := range map[string][]string{
		manager.EnvDomains:         {",", " , ", "a..example", "https://a.example", "a.example b.example", "a.*.example"},
		manager.EnvEmail:           {"Admin <admin@a.example>", "a@b, c@d", "@"},
		manager.EnvStaging:         {"yes please", "2", "truth"},
		manager.EnvDirectory:       {"ca.example", "ftp://ca.example", "https://", "://", "https://user:secret@ca.example/dir", "https://ca.example/#x"},
		manager.EnvChallengePort:   {"0", "-1", "65536", "http", "80.0", "0x50"},
		manager.EnvRenewBeforeDays: {"-1", "30d", "1e2", "3651", "99999999999999999999"},
	} {
		for _, v := range values {
			_, err := manager.ConfigFrom(lookup(with(map[string]string{variable: v})))
			var all *manager.ConfigError
			require.ErrorAs(t, err, &all, "%s=%q", variable, v)
			require.Len(t, all.Complaints, 1, "%s=%q: %v", variable, v, err)
			require.Equal(t, variable, all.Complaints[0].Setting)
		}
	}
}

func TestNewRefusesWhatItsSolversCannotProve(t *testing.T) {
	dns := []client.SolverFor{{Type: challenge.DNS01, Solver: challenge.NewHTTP01(challenge.HTTP01Options{})}}
	http := []client.SolverFor(nil)
	for name, row := range map[string]struct {
		domain  string
		solvers []client.SolverFor
		want    string
	}{
		"wildcard by http-01": {"*.a.example", http, "dns-01"},
		"address by dns-01":   {"192.0.2.1", dns, "http-01"},
		"wildcard by dns-01":  {"*.a.example", dns, ""},
		"address by http-01":  {"2001:db8::1", http, ""},
		"both, with both":     {"*.a.example", append(dns, client.SolverFor{Type: challenge.TLSALPN01, Solver: dns[0].Solver}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := manager.New(manager.Config{Domains: []string{row.domain}, CertPath: t.TempDir() + "/cert.pem"}, manager.Options{Solvers: row.solvers})
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			var bad *manager.ConfigError
			require.ErrorAs(t, err, &bad)
			require.Contains(t, err.Error(), row.want)
		})
	}
}

func TestNewChecksEveryField(t *testing.T) {
	_, err := manager.New(manager.Config{Email: "nobody", DirectoryURL: "http://127.0.0.1/dir", ChallengePort: 70000, RenewBeforeDays: -1}, manager.Options{})
	bad, ok := errors.AsType[*manager.ConfigError](err)
	require.True(t, ok)
	require.Len(t, bad.Complaints, 5, "%v", err)
	_, err = manager.New(manager.Config{Domains: []string{"a.example"}, CertPath: "x.pem", KeyPath: "./x.pem"}, manager.Options{})
	require.ErrorContains(t, err, "two files")
}

// FuzzConfigFrom: whatever the variables hold, what is not refused is what New
// takes, but for what its solver can't prove.
func FuzzConfigFrom(f *testing.F) {
	f.Add("a.example,b.example", "admin@a.example", "true", "https://ca.example/dir", "80", "30", "cert.pem")
	f.Add("*.a.example, 192.0.2.1 ,xn--bcher-kva.example", "", "0", "http://[::1]:14000/dir", "65535", "1", " ")
	f.Add("\x00", "a@b\n", "FALSE", "https://a:b@c", "-0", "+1", "../x")
	f.Fuzz(func(t *testing.T, domains, email, staging, directory, port, days, cert string) {
		env := map[string]string{manager.EnvDomains: domains, manager.EnvEmail: email, manager.EnvStaging: staging, manager.EnvDirectory: directory,
			manager.EnvChallengePort: port, manager.EnvRenewBeforeDays: days, manager.EnvTLSCertFile: cert}
		c, err := manager.ConfigFrom(lookup(env))
		if err != nil {
			_, bad := errors.AsType[*manager.ConfigError](err)
			require.True(t, bad || errors.Is(err, manager.ErrDisabled), "%v", err)
			return
		}
		require.NotEmpty(t, c.Domains)
		require.True(t, c.ChallengePort >= 1 && c.ChallengePort <= 65535)
		require.True(t, c.RenewBeforeDays >= 1)
		_, err = manager.New(c, manager.Options{Store: newMemStore(), AllowHTTP: true})
		if bad, ok := errors.AsType[*manager.ConfigError](err); ok {
			for _, complaint := range bad.Complaints {
				require.Equal(t, "Domains", complaint.Setting, "%v", err)
				require.Contains(t, complaint.Expected, "wildcard")
			}
			return
		}
		require.NoError(t, err)
	})
}
