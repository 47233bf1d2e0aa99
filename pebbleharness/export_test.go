package pebbleharness

// Unguarded lets requests reach Pebble as they come.
func Unguarded(o Options) Options {
	o.unguarded = true
	return o
}
