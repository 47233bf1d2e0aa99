package dns01

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// journal is the list of values that are out, in a file: noted before the
// provider adds them and struck off after it has removed them, so that whatever
// a crash leaves in the zone is listed.
type journal struct {
	path string
	mu   sync.Mutex
}

func (j *journal) add(r Record) error {
	return j.change(func(list []Record) []Record { return append(list, r) })
}

func (j *journal) remove(r Record) error {
	return j.change(func(list []Record) []Record {
		var kept []Record
		for _, have := range list {
			if have.Name != r.Name || have.Value != r.Value {
				kept = append(kept, have)
			}
		}
		return kept
	})
}

func (j *journal) read() ([]Record, error) {
	if j.path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseJournal(data)
}

func parseJournal(data []byte) ([]Record, error) {
	var list []Record
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	for _, r := range list {
		if name, err := fqdn(r.Name); err != nil || name != r.Name || r.Zone == "" || r.Value == "" {
			return nil, fmt.Errorf("entry %q is not a record", r.Name)
		}
	}
	return list, nil
}

func (j *journal) change(edit func([]Record) []Record) error {
	if j.path == "" {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	list, err := j.read()
	if err == nil {
		list = edit(list)
		if len(list) == 0 {
			err = os.Remove(j.path)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		} else {
			err = j.write(list)
		}
	}
	if err != nil {
		return fmt.Errorf("dns-01: journal %q: %w; move it away to go on without it", j.path, err)
	}
	return nil
}

func (j *journal) write(list []Record) error {
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(j.path), filepath.Base(j.path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), j.path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
