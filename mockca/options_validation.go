package mockca

import "context"

// Validation says how control over identifiers is looked for.
type Validation struct {
	// Off makes every challenge valid as soon as it is answered.
	Off bool
	// Script, if set, is asked instead of going out; nil means that control is
	// proved. It may block, until ctx ends.
	Script func(ctx context.Context, v ValidationRequest) *Problem
}

func newValidator(_ *CA, v Validation) validator {
	if v.Script != nil {
		return scripted(v.Script)
	}
	return noValidation{}
}
