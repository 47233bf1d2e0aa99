package mockca

// Faults of the transport.

// ResetBefore resets the connection before the CA acts.
func ResetBefore() Fault {
	return Fault{
		Name: "reset-before", Doc: "the connection is reset before the request is processed", Duty: "try again",
		Request: func(*Exchange) *Response { return &Response{Bare: true, Wire: Wire{Reset: true}} },
	}
}

// ResetAfter lets the CA act, and resets the connection instead of answering.
func ResetAfter() Fault {
	return Fault{
		Name: "reset-after", Doc: "the request is carried out and the connection reset before the answer",
		Duty:     "find out what became of the request, then carry on",
		Response: func(_ *Exchange, r *Response) { r.Wire.Reset = true },
	}
}
