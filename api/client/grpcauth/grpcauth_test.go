package grpcauth_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"hallpass/api/client"
	"hallpass/api/client/embedded"
	"hallpass/api/client/grpcauth"
	"hallpass/domain"
	"hallpass/eventstore"
	"hallpass/projections"
)

// world is a gRPC server in front of an embedded node over a log in memory,
// and a client of it.
type world struct {
	t     *testing.T
	log   eventstore.Log
	node  *embedded.Node
	conn  *grpc.ClientConn
	count byte
	ends  chan error // how handlers of streams ended
}

func start(t *testing.T) *world {
	log := eventstore.NewMemory(eventstore.MemoryConfig{})
	node := embedded.Open(log, projections.Config{Logger: slog.New(slog.DiscardHandler)})
	if err := node.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	holds := client.NewHolds(node, node, client.HoldsConfig{})
	if err := holds.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, log: log, node: node, ends: make(chan error, 8)}
	server := grpc.NewServer(
		grpc.UnaryInterceptor(grpcauth.Unary(node, need)),
		grpc.StreamInterceptor(grpcauth.Stream(holds, need)),
	)
	server.RegisterService(w.service(), w)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if w.conn, err = grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = w.conn.Close()
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		holds.Close()
		node.Projection().Close()
		_ = log.Close()
	})
	w.append("", domain.AccountOpened{})
	return w
}

func need(_ context.Context, method string, req any) (client.Need, error) {
	switch method {
	case "/things/Get":
		return client.Need{Action: "read", Resource: "/bucket/" + req.(*wrapperspb.StringValue).Value}, nil
	case "/things/Talk", "/things/Wait", "/things/Flood":
		return client.Need{Action: "read", Resource: "/bucket"}, nil
	}
	return client.Need{}, errors.New("no rule")
}

// service says who calls, and what the handler sees of the credential.
func (w *world) service() *grpc.ServiceDesc {
	say := func(ctx context.Context) *wrapperspb.StringValue {
		d, ok := client.DecisionFrom(ctx)
		md, _ := metadata.FromIncomingContext(ctx)
		return wrapperspb.String(fmt.Sprint(ok, " ", d.Account, "/", d.Token, " ", len(md.Get("authorization"))))
	}
	get := func(_ any, ctx context.Context, dec func(any) error, over grpc.UnaryServerInterceptor) (any, error) {
		in := new(wrapperspb.StringValue)
		if err := dec(in); err != nil {
			return nil, err
		}
		return over(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/things/Get"}, func(ctx context.Context, _ any) (any, error) {
			return say(ctx), nil
		})
	}
	stream := func(name string, run func(s grpc.ServerStream) error) grpc.StreamDesc {
		return grpc.StreamDesc{StreamName: name, ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
			err := s.SendMsg(say(s.Context()))
			if err == nil {
				err = run(s)
			}
			w.ends <- err
			return nil // the interceptor says how the call ends
		}}
	}
	return &grpc.ServiceDesc{
		ServiceName: "things", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Get", Handler: get}},
		Streams: []grpc.StreamDesc{
			stream("Talk", func(s grpc.ServerStream) error {
				for {
					m := new(wrapperspb.StringValue)
					if err := s.RecvMsg(m); err != nil {
						return err
					}
					if err := s.SendMsg(m); err != nil {
						return err
					}
				}
			}),
			stream("Wait", func(s grpc.ServerStream) error {
				<-s.Context().Done()
				return s.Context().Err()
			}),
			stream("Flood", func(s grpc.ServerStream) error {
				for m := wrapperspb.Bytes(make([]byte, 64<<10)); ; {
					if err := s.SendMsg(m); err != nil {
						return err
					}
				}
			}),
			stream("Other", func(grpc.ServerStream) error { return nil }),
		},
	}
}

// append files a fact, and returns once the node has applied it.
func (w *world) append(token domain.TokenID, e domain.Event) {
	w.t.Helper()
	w.count++
	p := w.node.Projection()
	_, last := p.Directory.State(domain.Target{Account: "acme", Token: token})
	f := &domain.Fact{
		ID: domain.NewEventID(1, [10]byte{w.count}), Time: domain.Instant(time.Now().UnixMilli()), Authorised: p.Position.At(),
		Account: "acme", Token: token, Event: e,
	}
	at, err := w.log.Append(w.t.Context(), eventstore.Entry{
		Subject: eventstore.SubjectOf(f), Expect: last, ID: f.ID, Type: e.Type(), Data: domain.Encode(f),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Position.Wait(w.t.Context(), at); err != nil {
		w.t.Fatal(err)
	}
}

// issue makes a token that may read /bucket, and returns a context that bears it.
func (w *world) issue(token domain.TokenID) context.Context {
	s := domain.NewSecret([32]byte{w.count})
	w.append(token, domain.TokenIssued{
		Generation: 1, Enabled: true, Kind: domain.KindAPI, Digest: s.Digest(),
		Permissions: domain.Permissions{Mode: domain.Union, Allow: []domain.Grant{{Resource: "/bucket", Actions: []domain.Action{"read"}}}},
	})
	return metadata.AppendToOutgoingContext(w.t.Context(), "authorization", "Bearer "+s.Reveal())
}

func (w *world) revoke(token domain.TokenID) {
	w.append(token, domain.TokenRevoked{Reason: domain.Reason{Code: domain.ReasonSuperseded}})
}

func (w *world) get(ctx context.Context, what string) (string, codes.Code) {
	out := new(wrapperspb.StringValue)
	err := w.conn.Invoke(ctx, "/things/Get", wrapperspb.String(what), out)
	return out.Value, status.Code(err)
}

// stream opens a stream and waits for its first message.
func (w *world) stream(ctx context.Context, method string) (grpc.ClientStream, string, error) {
	s, err := w.conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		return nil, "", err
	}
	m := new(wrapperspb.StringValue)
	err = s.RecvMsg(m)
	return s, m.Value, err
}

func TestUnary(t *testing.T) {
	w := start(t)
	good := w.issue("good")
	if got, code := w.get(good, "b1"); got != "true acme/good 0" || code != codes.OK {
		t.Fatalf("%q, %v", got, code)
	}
	plain := w.t.Context()
	for name, c := range map[string]struct {
		ctx  context.Context
		what string
		want codes.Code
	}{
		"no token":           {plain, "b1", codes.Unauthenticated},
		"another scheme":     {metadata.AppendToOutgoingContext(plain, "authorization", "Basic eA=="), "b1", codes.Unauthenticated},
		"two":                {metadata.AppendToOutgoingContext(good, "authorization", "Bearer x"), "b1", codes.Unauthenticated},
		"one that opens no":  {metadata.AppendToOutgoingContext(plain, "authorization", "Bearer x"), "b1", codes.Unauthenticated},
		"not its resource":   {good, "../teams", codes.PermissionDenied},
		"no resource at all": {good, "a//b", codes.PermissionDenied},
	} {
		if got, code := w.get(c.ctx, c.what); code != c.want || got != "" {
			t.Errorf("%s: got %q, %v, want %v", name, got, code, c.want)
		}
	}
	w.revoke("good")
	if _, code := w.get(good, "b1"); code != codes.Unauthenticated {
		t.Errorf("after the revoke: %v", code)
	}
	other := w.issue("other")
	if err := w.node.Projection().Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, code := w.get(other, "b1"); code != codes.Unavailable {
		t.Errorf("after leaving: %v", code)
	}
}

func TestStreamsAreRefused(t *testing.T) {
	w := start(t)
	good := w.issue("good")
	if _, first, err := w.stream(good, "/things/Talk"); first != "true acme/good 0" || err != nil {
		t.Fatalf("%q, %v", first, err)
	}
	if _, _, err := w.stream(t.Context(), "/things/Talk"); status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
	if _, _, err := w.stream(good, "/things/Other"); status.Code(err) != codes.PermissionDenied {
		t.Error(err)
	}
	w.revoke("good")
	if _, _, err := w.stream(good, "/things/Talk"); status.Code(err) != codes.Unauthenticated {
		t.Error(err)
	}
}

// A stream is cut when its token is revoked, whatever its handler waits for,
// and ends with the status that says why.
func TestStreamsAreCut(t *testing.T) {
	w := start(t)
	for _, method := range []string{"Talk", "Wait", "Flood"} {
		id := domain.TokenID("t-" + method)
		ctx := w.issue(id)
		s, _, err := w.stream(ctx, "/things/"+method)
		if err != nil {
			t.Fatal(err)
		}
		if method == "Talk" {
			echo := new(wrapperspb.StringValue)
			if err := errors.Join(s.SendMsg(wrapperspb.String("ping")), s.RecvMsg(echo)); err != nil || echo.Value != "ping" {
				t.Fatalf("%q, %v", echo.Value, err)
			}
		}
		w.revoke(id)
		if err := <-w.ends; method != "Wait" && status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: the handler got %v", method, err)
		}
		for err = nil; err == nil; { // what was under way
			err = s.RecvMsg(new(wrapperspb.BytesValue))
		}
		if status.Code(err) != codes.Unauthenticated {
			t.Errorf("%s: it ended with %v", method, err)
		}
	}
}

// A node that ends takes its streams along.
func TestStreamsEndWithTheNode(t *testing.T) {
	w := start(t)
	s, _, err := w.stream(w.issue("good"), "/things/Wait")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.node.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(new(wrapperspb.StringValue)); status.Code(err) != codes.Unavailable {
		t.Fatal(err)
	}
}
