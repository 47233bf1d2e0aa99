package mockca

// Faults of JSON bodies.

// JSONTruncated ends the body in its middle, as if that were all.
func JSONTruncated() Fault {
	return Fault{
		Name: "json-truncated", Doc: "the body ends in the middle of the JSON", Duty: "try again or ask, then fail",
		Response: func(_ *Exchange, r *Response) { r.Body = r.Body[:len(r.Body)/2] },
	}
}
