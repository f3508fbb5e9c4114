package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"hallpass/api/client"
	"hallpass/api/client/embedded"
	"hallpass/api/client/middleware"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hallpass-embed-example:", err)
		os.Exit(1) //nolint:gocritic // stop only gives signals back
	}
}

// run is the whole service, until ctx ends. Its first line on out says where it
// listens and who it is in receipts.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("hallpass-embed-example", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:8090", "the address to serve on")
	url := flags.String("nats-url", "nats://127.0.0.1:4222", "the NATS servers that keep the stream, with commas")
	user := flags.String("nats-user", "hallpass", "the user there; its password is HALLPASS_NATS_PASSWORD")
	name := flags.String("name", "embed-example", "the name of this node, unique among all")
	lease := flags.Duration("lease", projections.DefaultLease, "how long checks are answered after a proof of being current")
	if err := flags.Parse(args); err != nil {
		return err
	}
	node, closeNode, err := open(ctx, *name, *lease, eventstore.ExternalConfig{
		URL: *url, User: *user, Password: os.Getenv("HALLPASS_NATS_PASSWORD"),
	})
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, closeNode()) }()

	holds := client.NewHolds(node, node, client.HoldsConfig{})
	defer holds.Close()
	if err := holds.Ready(ctx); err != nil {
		return err
	}
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listening on http://%s as %s\n", l.Addr(), *name) //nolint:errcheck // nobody has to read it
	return serve(ctx, l, handler(node, holds))
}

// open follows the stream. The function it returns leaves it in good order.
func open(ctx context.Context, name string, lease time.Duration, cfg eventstore.ExternalConfig) (*embedded.Node, func() error, error) {
	as, err := domain.ParseNodeName(name)
	if err != nil {
		return nil, nil, err
	}
	log, err := eventstore.OpenExternal(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	node := embedded.Open(log, projections.Config{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		// FollowOnly: hallpass servers are there, and this service may run a
		// hundred times.
		Node: projections.NodeConfig{Name: as, Lease: lease, FollowOnly: true},
	})
	leave := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		return errors.Join(node.Close(ctx), log.Close())
	}
	if err := node.Ready(ctx); err != nil {
		return nil, nil, errors.Join(err, leave())
	}
	return node, leave, nil
}

// handler is the service, behind the guard.
func handler(node *embedded.Node, holds *client.Holds) http.Handler {
	guard := &middleware.Guard{
		Checker: node, Holds: holds,
		Need: func(r *http.Request) (client.Need, error) {
			return client.Need{Action: "read", Resource: "/device/" + r.PathValue("name")}, nil
		},
	}
	mux := http.NewServeMux()
	mux.Handle("GET /device/{name}", guard.Protect(http.HandlerFunc(once)))
	mux.Handle("GET /device/{name}/live", guard.Hold(http.HandlerFunc(live)))
	return mux
}

func once(w http.ResponseWriter, r *http.Request) {
	who, _ := client.DecisionFrom(r.Context())
	_, _ = fmt.Fprintf(w, "hello %s of %s\n", who.Token, who.Account) // an error is the client's, who went away
}

func live(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for n := 0; ; n++ {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return
		}
		if flush.Flush() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			if errors.As(context.Cause(r.Context()), new(*client.CutError)) {
				_, _ = fmt.Fprintln(w, "cut")
			}
			return
		}
	}
}

// serve serves until ctx ends; requests get a moment to end then, and live ones
// are broken off.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if s.Shutdown(grace) != nil {
		_ = s.Close()
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
