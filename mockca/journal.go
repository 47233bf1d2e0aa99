package mockca

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"
)

// The books on disk: Options.KeepObjects.
//
// The file is a record per line, each an object as it was after a change; the
// last one about an object counts. What has been noted is written and flushed
// before the next answer leaves, by whichever request comes first, for all that
// wait. A line that a crash cut off had not been answered, and is left out.

type journal struct {
	noteMu sync.Mutex
	notes  []note
	noted  map[note]bool

	mu       sync.Mutex // one writes
	file     *os.File
	size     int64
	compact  int64 // size at which the file is written anew
	distance time.Duration
	failed   error // what came after it would be unreadable

	restart []func() // validations and finalizations that a crash ended
}

// note says which object has changed: by its URL, or a key id.
type note struct{ kind, url string }

// minCompact keeps small files from being written anew all the time.
const minCompact = 16 << 20

// note remembers that an object has changed, for the next Sync.
func (j *journal) note(kind, url string) {
	if j == nil {
		return
	}
	j.noteMu.Lock()
	defer j.noteMu.Unlock()
	n := note{kind, url}
	if !j.noted[n] {
		j.noted[n] = true
		j.notes = append(j.notes, n)
	}
}

func (j *journal) take() []note {
	j.noteMu.Lock()
	defer j.noteMu.Unlock()
	list := j.notes
	j.notes, j.noted = nil, make(map[note]bool)
	return list
}

// Sync has everything on disk that Options.KeepObjects keeps, as requests do
// before they are answered. It is for those who change the books by hand, or the
// clock.
func (ca *CA) Sync() error {
	j := ca.journal
	if j == nil {
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failed != nil {
		return j.failed
	}
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for _, n := range j.take() {
		for _, r := range ca.recordsOf(n) {
			if err := e.Encode(r); err != nil {
				return fmt.Errorf("keeping %s %s: %w", n.kind, n.url, err)
			}
		}
	}
	if d := ca.distance(); (d - j.distance).Abs() > time.Second {
		j.distance = d
		if err := e.Encode(bookRecord{Clock: &d}); err != nil {
			return fmt.Errorf("keeping the clock: %w", err)
		}
	}
	if lines.Len() == 0 {
		return nil
	}
	if j.size+int64(lines.Len()) > j.compact {
		j.failed = j.rewrite(ca)
		return j.failed
	}
	j.failed = j.append(lines.Bytes())
	return j.failed
}

func (j *journal) append(lines []byte) error {
	n, err := j.file.Write(lines)
	j.size += int64(n)
	if err == nil {
		err = j.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("keeping the books: %w", err)
	}
	return nil
}

// distance is how far the CA's clock is from the machine's.
func (ca *CA) distance() time.Duration { return time.Until(ca.clock.Now()) }

// rewrite puts a file in place that has each object once.
func (j *journal) rewrite(ca *CA) error {
	var lines bytes.Buffer
	e := json.NewEncoder(&lines)
	for _, r := range ca.allRecords() {
		if err := e.Encode(r); err != nil {
			return fmt.Errorf("keeping the books: %w", err)
		}
	}
	path := ca.state.path(booksFile)
	if err := ca.state.files.Write(path, lines.Bytes(), 0o600); err != nil {
		return fmt.Errorf("keeping the books: %w", err)
	}
	if j.file != nil {
		j.file.Close() // replaced, whatever it says
	}
	var err error
	if j.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return fmt.Errorf("keeping the books: %w", err)
	}
	j.size = int64(lines.Len())
	j.compact = max(minCompact, 3*j.size)
	return nil
}

// openJournal fills the books from the state.
func (ca *CA) openJournal() error {
	data, err := ca.state.read(booksFile)
	if err != nil {
		return err
	}
	j := &journal{noted: make(map[note]bool)}
	kept, err := readRecords(data)
	if err != nil {
		return fmt.Errorf("%s: %w", ca.state.path(booksFile), err)
	}
	if kept.clock != nil && ca.options.Clock == nil {
		ca.clock.Advance(*kept.clock)
	}
	j.restart = ca.restore(kept)
	j.distance = ca.distance()
	ca.journal = j // not before, or it would be noted
	return j.rewrite(ca)
}

// readRecords reads the file; the last line need not be whole.
func readRecords(data []byte) (kept records, err error) {
	kept.init()
	for number := 1; len(data) > 0; number++ {
		line, rest, whole := bytes.Cut(data, []byte("\n"))
		if !whole {
			break
		}
		data = rest
		var r bookRecord
		if err := json.Unmarshal(line, &r); err != nil {
			return kept, fmt.Errorf("line %d: %w", number, err)
		}
		kept.put(r)
	}
	return kept, nil
}

// resume begins again what a crash ended, once.
func (j *journal) resume(ca *CA) {
	again := j.restart
	j.restart = nil
	for _, f := range again {
		ca.work.start(true, f)
	}
}

func (j *journal) close(ca *CA) error {
	if j == nil {
		return nil
	}
	err := ca.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.file != nil {
		j.file.Close()
		j.file = nil
	}
	if j.failed == nil {
		j.failed = os.ErrClosed
	} else if j.failed == os.ErrClosed {
		return nil
	}
	return err
}

// identify cuts the URL of an object into what comes after its endpoint's path.
func (ca *CA) identify(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	_, rest := ca.routes.find(u.Path)
	id, _, _ := strings.Cut(rest, "/")
	return id
}
