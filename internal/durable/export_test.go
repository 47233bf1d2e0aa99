package durable

// Reserve is what Create does where there are no hard links.
var Reserve = reserve
