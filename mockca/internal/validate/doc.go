// Package validate looks whether an applicant controls an identifier, as a CA
// does: by http-01, tls-alpn-01, dns-01, dns-account-01 and dns-persist-01, and
// by CAA, from one or several perspectives.
//
//	v := validate.New(validate.Config{DNS: server})
//	result := v.Validate(ctx, validate.Request{Type: "http-01", ...})
//	if result.Problem != nil { ... }
//
// It looks at what strangers serve: everything that is read has a limit, every
// wait ends with the context or a timeout of the Config's, and nothing is
// believed that was not asked for. A Validator is safe for concurrent use and
// holds nothing between validations.
package validate
