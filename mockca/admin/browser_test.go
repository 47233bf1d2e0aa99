package admin_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/websocket"
)

// browser is a real one without a window, driven by its DevTools protocol.
type browser struct {
	t    *testing.T
	conn *websocket.Conn
	id   int
	said []string // exceptions and errors in the console
}

// startBrowser opens url in Chromium. The test is skipped where there is none.
func startBrowser(t *testing.T, url string, width, height int) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("the page is tested where Chromium is installed")
	}
	profile := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--user-data-dir="+profile, "--remote-debugging-port=0", "--remote-allow-origins=*", fmt.Sprintf("--window-size=%d,%d", width, height), "about:blank")
	out, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	endpoint := ""
	for lines := bufio.NewScanner(out); endpoint == "" && lines.Scan(); {
		_, endpoint, _ = strings.Cut(lines.Text(), "DevTools listening on ")
	}
	require.NotEmpty(t, endpoint, "Chromium did not start")
	go func() { // so that it never waits for a reader
		for buffer := make([]byte, 4096); ; {
			if _, err := out.Read(buffer); err != nil {
				return
			}
		}
	}()
	b := &browser{t: t, conn: dial(t, endpoint)}
	whole := *b
	t.Cleanup(func() { // asked, it ends with all its processes
		whole.call("Browser.close", nil, nil)
		_ = cmd.Wait()
	})
	var made struct{ TargetID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &made)
	host, _, _ := strings.Cut(strings.TrimPrefix(endpoint, "ws://"), "/")
	b.conn = dial(t, "ws://"+host+"/devtools/page/"+made.TargetID)
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}, nil)
	b.call("Page.navigate", map[string]any{"url": url}, nil)
	return b
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	conn, err := websocket.Dial(url, "", "http://localhost/")
	require.NoError(t, err)
	conn.MaxPayloadBytes = 64 << 20
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call sends a command and decodes its result.
func (b *browser) call(method string, params, into any) {
	b.t.Helper()
	b.id++
	require.NoError(b.t, websocket.JSON.Send(b.conn, map[string]any{"id": b.id, "method": method, "params": params}))
	require.NoError(b.t, b.conn.SetReadDeadline(time.Now().Add(time.Minute)))
	for {
		var m struct {
			ID     int
			Method string
			Params json.RawMessage
			Result json.RawMessage
			Error  *struct{ Message string }
		}
		require.NoError(b.t, websocket.JSON.Receive(b.conn, &m))
		switch {
		case m.Method == "Runtime.exceptionThrown" || m.Method == "Log.entryAdded" && strings.Contains(string(m.Params), `"level":"error"`):
			b.said = append(b.said, string(m.Params))
		case m.ID == b.id:
			require.Nil(b.t, m.Error, "%s: %+v", method, m.Error)
			if into != nil {
				require.NoError(b.t, json.Unmarshal(m.Result, into))
			}
			return
		}
	}
}

// eval is what a JavaScript expression gives.
func (b *browser) eval(expression string) any {
	b.t.Helper()
	var out struct {
		Result           struct{ Value any }
		ExceptionDetails any
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "returnByValue": true, "awaitPromise": true}, &out)
	require.Nil(b.t, out.ExceptionDetails, expression)
	return out.Result.Value
}

// until waits for an expression to be true.
func (b *browser) until(expression string) {
	b.t.Helper()
	require.Equal(b.t, true, b.eval(`new Promise(done => {
		const began = Date.now(), look = () => { let is = false; try { is = !!(`+expression+`) } catch {}; is || Date.now() - began > 20000 ? done(is) : setTimeout(look, 20) }
		look()
	})`), "never true: %s\n%s", expression, b.eval("document.body.innerText"))
}

// key presses a key, as a person does.
func (b *browser) key(name string) {
	b.t.Helper()
	codes := map[string]int{"Enter": 13, "Tab": 9, " ": 32, "/": 191}
	text := map[string]string{"Enter": "\r", " ": " ", "/": "/"}[name]
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyDown", "key": name, "text": text, "windowsVirtualKeyCode": codes[name]}, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": name, "windowsVirtualKeyCode": codes[name]}, nil)
}

func (b *browser) write(text string) { b.call("Input.insertText", map[string]any{"text": text}, nil) }

// show keeps a picture in the folder that SCREENSHOTS names.
func (b *browser) show(name string) {
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot struct{ Data []byte }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), shot.Data, 0o666))
}

func (b *browser) healthy() {
	b.t.Helper()
	b.eval("1") // what was said until now has been read
	require.Empty(b.t, b.said, "the console is silent")
	require.Equal(b.t, true, b.eval("performance.getEntriesByType('resource').every(e => new URL(e.name).origin === location.origin)"), "nothing is from elsewhere")
}
