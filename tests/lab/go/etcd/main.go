// Command etcd is the etcd server. Its own main module carries replace
// directives, which a build from a registry cannot honour, so this main calls
// the library that upstream's main calls.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
