package mockca

import (
	"context"
	"time"
)

// Validation of control: RFC 8555, Sections 7.5.1, 8 and 8.2.

// ValidationRequest is what is to be proved.
type ValidationRequest struct {
	Type             string     // of the challenge, "http-01"
	Identifier       Identifier // without "*."
	Wildcard         bool
	Token            string
	KeyAuthorization string
	AccountURL       string
	IssuerDomains    []string // dns-persist-01: those that the challenge offered
	Attempt          int      // from 1
}

// validator looks whether control is proved; nil means that it is. The records
// are shown in the challenge.
type validator interface {
	validate(ctx context.Context, p *Policy, v ValidationRequest) (why *Problem, records any)
}

type noValidation struct{}

func (noValidation) validate(context.Context, *Policy, ValidationRequest) (*Problem, any) {
	return nil, nil
}

type scripted func(context.Context, ValidationRequest) *Problem

func (s scripted) validate(ctx context.Context, _ *Policy, v ValidationRequest) (*Problem, any) {
	return s(ctx, v), nil
}

// beginValidation validates a challenge that is processing: at once where there
// is nothing to wait for, otherwise in the background.
func (ca *CA) beginValidation(r *request, z *authz, c *challenge) {
	a := r.account
	if a == nil {
		a = z.account
	}
	policy, knobs := r.policy, r.knobs
	v := ValidationRequest{Type: c.typ, Identifier: z.identifier, Wildcard: z.wildcard, Token: c.token,
		KeyAuthorization: c.token + "." + a.thumbprint(), AccountURL: r.url(AccountURL, z.account.id), IssuerDomains: policy.CAAIdentities}
	delay := policy.ValidationDelay + knobs.ValidationDelay
	how := ca.validator
	switch {
	case knobs.Validate != nil:
		how = scripted(func(_ context.Context, v ValidationRequest) *Problem { return knobs.Validate(v) })
	case knobs.ValidationProblem != nil:
		how = scripted(func(context.Context, ValidationRequest) *Problem { return knobs.ValidationProblem })
	case !ca.on(CheckValidation):
		how = noValidation{}
	}
	if _, quick := how.(noValidation); quick && delay <= 0 && knobs.ValidationTimes <= 1 {
		ca.endValidation(r.x, r.now, z, c, nil, nil)
		return
	}
	ca.work.start(true, func() {
		if ca.clock.Sleep(ca.ctx, delay) != nil {
			return
		}
		var why *Problem
		var records any
		for attempt := 1; ; attempt++ {
			v.Attempt = attempt
			why, records = how.validate(ca.ctx, policy, v)
			if ca.ctx.Err() != nil {
				return
			}
			if knobs.Verdict != nil {
				why = knobs.Verdict(v, why)
			}
			if why == nil && attempt < knobs.ValidationTimes {
				continue // looks once more, as several vantage points would
			}
			if why == nil || attempt > policy.ValidationRetries {
				break
			}
			ca.failedAttempt(z, c, why, records, ca.clock.Now().Add(policy.ValidationRetryWait))
			if ca.clock.Sleep(ca.ctx, policy.ValidationRetryWait) != nil {
				return
			}
		}
		ca.endValidation(nil, ca.clock.Now(), z, c, why, records)
	})
}

// failedAttempt shows an error that is not the end: RFC 8555, Section 8.2.
func (ca *CA) failedAttempt(z *authz, c *challenge, why *Problem, records any, next time.Time) {
	z.mu.Lock()
	defer z.mu.Unlock()
	c.err, c.records, c.next = why, records, next
	c.tries++
}

// endValidation: RFC 8555, Section 7.1.6. x is nil when it comes by itself.
func (ca *CA) endValidation(x *Exchange, now time.Time, z *authz, c *challenge, why *Problem, records any) {
	policy := ca.policy.Load()
	z.mu.Lock()
	if c.status != statusProcessing { // by hand, meanwhile
		z.mu.Unlock()
		return
	}
	from := z.status
	c.records, c.err = records, why
	if why == nil {
		c.status, c.validated = statusValid, now
	} else if policy.AnswerAgain && (why.Type == TypeConnection || why.Type == TypeDNS || why.Type == TypeTLS) {
		c.status = statusPending
		c.tries++
	} else {
		c.status = statusInvalid
	}
	if z.status == statusPending && c.status != statusPending {
		switch {
		case why == nil:
			z.status, z.decisive = statusValid, c
			z.expires = now.Add(z.lifetime)
			z.challenges = []*challenge{{number: c.number, typ: c.typ, token: c.token, status: c.status, validated: now, records: records}}
			z.decisive = z.challenges[0] // the others need not be kept
		case policy.StickyInvalid && z.hope():
		default:
			z.status, z.decisive = statusInvalid, c
		}
	}
	to, status := z.status, c.status
	z.mu.Unlock()
	detail := ""
	if why != nil {
		detail = why.Error()
	}
	ca.changed(x, now, "challenge", ca.challengeURL(ca.base, z, c), statusProcessing, status, detail)
	if from != to {
		ca.changed(x, now, "authorization", ca.objectURL(ca.base, Authz, z.id), from, to, detail)
		if to == statusInvalid {
			ca.failedValidation(now, z)
		} else {
			ca.passedValidation(z)
		}
	}
}

// hope tells whether a challenge is left that could succeed; z is locked.
func (z *authz) hope() bool {
	for _, c := range z.challenges {
		if c.status == statusPending || c.status == statusProcessing {
			return true
		}
	}
	return false
}
