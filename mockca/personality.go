package mockca

import "fmt"

// PolicyOf is the policy of a personality; that of "" is DefaultPolicy.
func PolicyOf(personality string) (Policy, error) {
	if personality == "" {
		return DefaultPolicy(), nil
	}
	return Policy{}, fmt.Errorf("there is no personality %q", personality)
}
