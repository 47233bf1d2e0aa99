package mockca

import "time"

// RateLimit is one limit of a policy.
type RateLimit struct {
	Name   string
	Burst  int
	Period time.Duration
}

type limits struct{}

func (r *request) spendAccount() *Problem           { return nil }
func (r *request) spendOrder(*order) *Problem       { return nil }
func (r *request) spendAuthz([]Identifier) *Problem { return nil }
func (r *request) spendValidation(*authz) *Problem  { return nil }
func (r *request) spendCertificate(*order) *Problem { return nil }
func (ca *CA) failedValidation(time.Time, *authz)   {}
