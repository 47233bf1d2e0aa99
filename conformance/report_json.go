package conformance

import (
	"encoding/json"
	"fmt"
	"io"
)

// WriteJSON writes the report as one JSON document. Its schema is
// docs/conformance-report.schema.json.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(r)
}

// ReadReport reads what WriteJSON wrote.
func ReadReport(r io.Reader) (*Report, error) {
	var report Report
	if err := json.NewDecoder(r).Decode(&report); err != nil {
		return nil, fmt.Errorf("reading a report: %w", err)
	}
	if report.Suite != Server && report.Suite != Client {
		return nil, fmt.Errorf("reading a report: suite is %q, so this is no report of ours", report.Suite)
	}
	return &report, nil
}
