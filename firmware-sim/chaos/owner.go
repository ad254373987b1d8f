package chaos

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// ownerOf tells which of the processes has the other end of a connection that
// was accepted on this machine; zero: none of them.
func ownerOf(conn *net.TCPConn, pids []int) int {
	remote, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	local, ok := conn.LocalAddr().(*net.TCPAddr)
	if !ok {
		return 0
	}
	inode := socketOf(remote, local)
	if inode == "" {
		return 0
	}
	for _, pid := range pids {
		if hasSocket(pid, inode) {
			return pid
		}
	}
	return 0
}

// socketOf finds the inode of the socket that is bound to local and connected
// to remote. The kernel lists addresses of IPv4 as little-endian numbers.
func socketOf(local, remote *net.TCPAddr) string {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	from, to := kernelAddr(local), kernelAddr(remote)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if field := strings.Fields(lines.Text()); len(field) > 9 && field[1] == from && field[2] == to {
			return field[9]
		}
	}
	return ""
}

func kernelAddr(a *net.TCPAddr) string {
	ip := a.IP.To4()
	if ip == nil {
		return ""
	}
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], a.Port)
}

func hasSocket(pid int, inode string) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, name := range names {
		if to, err := os.Readlink(filepath.Join(dir, name.Name())); err == nil &&
			to == "socket:["+inode+"]" {
			return true
		}
	}
	return false
}
