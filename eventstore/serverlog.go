package eventstore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
)

// levelServerDebug is below slog's debug: the server's own debug lines are for
// those who look into the server.
const levelServerDebug = slog.LevelDebug - 4

// serverLog hands the embedded server's lines to slog. The server's notices
// are about its own start and stop, so they are debug lines of hallpass.
type serverLog struct {
	logger  *slog.Logger
	trouble atomic.Pointer[string] // the last error line
	fatal   atomic.Bool            // there was an error that a server of its own would exit with
	disk    atomic.Pointer[error]  // the first error that a store doesn't recover from
}

func (s *serverLog) Noticef(f string, v ...any) { s.log(slog.LevelDebug, f, v) }
func (s *serverLog) Warnf(f string, v ...any)   { s.log(warning(f), f, v) }
func (s *serverLog) Errorf(f string, v ...any)  { s.fault(f, v) }
func (s *serverLog) Fatalf(f string, v ...any)  { s.fault(f, v); s.fatal.Store(true) }
func (s *serverLog) Debugf(f string, v ...any)  { s.log(levelServerDebug, f, v) }
func (s *serverLog) Tracef(f string, v ...any)  { s.log(levelServerDebug-4, f, v) }

// warning is the level of a warning. One is about passwords in a configuration
// file, which there is none of.
func warning(f string) slog.Level {
	if strings.HasPrefix(f, "Plaintext passwords detected") {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

func (s *serverLog) fault(f string, v []any) {
	line := fmt.Sprintf(f, v...)
	for _, arg := range v {
		if err, ok := arg.(error); ok && lastingDiskError(err) {
			s.disk.CompareAndSwap(nil, &err)
		}
	}
	if strings.Contains(line, "Critical write error") {
		err := errors.New(line) // of one store: this server's copy takes nothing more until it is started again
		s.disk.CompareAndSwap(nil, &err)
	}
	s.trouble.Store(&line)
	s.logger.Error("embedded NATS server: " + line)
}

func (s *serverLog) log(level slog.Level, f string, v []any) {
	if s.logger.Enabled(context.Background(), level) {
		s.logger.Log(context.Background(), level, "embedded NATS server: "+fmt.Sprintf(f, v...))
	}
}

// diskError returns the error after which the server's store takes no more
// records until it is started again, or nil.
func (s *serverLog) diskError() error {
	if err := s.disk.Load(); err != nil {
		return *err
	}
	return nil
}

// lastTrouble is the server's last error line.
func (s *serverLog) lastTrouble() string {
	if line := s.trouble.Load(); line != nil {
		return *line
	}
	return "it gave no reason"
}

func orDiscard(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	return l
}
