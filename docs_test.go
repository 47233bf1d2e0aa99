package acmee2e

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEverythingExportedIsDocumented holds each package, and each name that it
// exports, to a doc comment.
func TestEverythingExportedIsDocumented(t *testing.T) {
	t.Parallel()
	packages := 0
	for _, dir := range directories(t) {
		set := token.NewFileSet()
		var files []*ast.File
		documented := false
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
			require.NoError(t, err)
			files = append(files, file)
			documented = documented || file.Doc.Text() != ""
		}
		if len(files) == 0 {
			continue
		}
		packages++
		if !documented {
			t.Errorf("%s: the package has no doc comment", dir)
		}
		for _, file := range files {
			for _, name := range undocumented(file) {
				t.Errorf("%s: exported and not documented", set.Position(name.Pos()).String()+": "+name.Name)
			}
		}
	}
	require.NotZero(t, packages)
}

// undocumented lists the exported names of a file that no comment is about. A
// comment on a group of constants, variables or fields is about all of them.
func undocumented(file *ast.File) (names []*ast.Ident) {
	for _, declaration := range file.Decls {
		switch d := declaration.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() && d.Doc.Text() == "" && exportedReceiver(d) && !implements(d) {
				names = append(names, d.Name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					if s.Name.IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" {
						names = append(names, s.Name)
					}
				case *ast.ValueSpec:
					if s.Names[0].IsExported() && d.Doc.Text() == "" && s.Doc.Text() == "" && s.Comment.Text() == "" {
						names = append(names, s.Names[0])
					}
				}
			}
		}
	}
	return names
}

func exportedReceiver(f *ast.FuncDecl) bool {
	if f.Recv == nil {
		return true
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	name, ok := receiver.(*ast.Ident)
	return ok && name.IsExported()
}

// implements reports whether a method is one whose meaning everybody knows.
func implements(f *ast.FuncDecl) bool {
	known := map[string]bool{"Error": true, "Unwrap": true, "Is": true, "String": true, "MarshalJSON": true, "UnmarshalJSON": true, "LogValue": true}
	return f.Recv != nil && known[f.Name.Name]
}

func directories(t *testing.T) (dirs []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if name := entry.Name(); path != "." && (strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		dirs = append(dirs, path)
		return nil
	}))
	return dirs
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

// TestLinksBetweenDocuments wants every relative link to lead somewhere.
func TestLinksBetweenDocuments(t *testing.T) {
	t.Parallel()
	links := 0
	for _, dir := range directories(t) {
		pages, err := filepath.Glob(filepath.Join(dir, "*.md"))
		require.NoError(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			require.NoError(t, err)
			for _, match := range link.FindAllStringSubmatch(string(text), -1) {
				links++
				if _, err := os.Stat(filepath.Join(dir, match[1])); err != nil {
					t.Errorf("%s: the link to %s leads nowhere", page, match[1])
				}
			}
		}
	}
	require.NotZero(t, links)
}
