package wire

import (
	"context"
	"fmt"
)

// Directory is the directory object (RFC 8555, Section 7.1.1), as it came.
type Directory struct{ Members map[string]any }

// URL of a resource, or "".
func (d *Directory) URL(resource string) string {
	url, _ := d.Members[resource].(string)
	return url
}

// Meta is a member of meta, or nil.
func (d *Directory) Meta(name string) any {
	meta, _ := d.Members["meta"].(map[string]any)
	return meta[name]
}

// Directory fetches the directory once.
func (s *Session) Directory(ctx context.Context) (*Directory, error) {
	s.mu.Lock()
	known := s.directory
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	response, err := s.Get(ctx, s.options.DirectoryURL)
	if err != nil {
		return nil, err
	}
	object, err := response.Object()
	if err == nil && response.Status != 200 {
		err = fmt.Errorf("the directory was answered %s", response.Excerpt())
	}
	if err != nil {
		return nil, &Error{Kind: Server, URL: s.options.DirectoryURL, Err: err}
	}
	directory := &Directory{Members: object}
	for _, resource := range []string{"newNonce", "newAccount", "newOrder"} {
		if directory.URL(resource) == "" {
			return nil, &Error{Kind: Server, URL: s.options.DirectoryURL, Err: fmt.Errorf("the directory has no %s", resource)}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.directory = directory
	return directory, nil
}
