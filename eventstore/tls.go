package eventstore

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// loadTLS reads a TLS configuration from PEM files; each path may be empty,
// cert and key both or neither. The errors name whose they are.
func loadTLS(whose, ca, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("eventstore: the %s CA can't be read: %w", whose, err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("eventstore: the file %s holds no PEM certificate", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("eventstore: the %s certificate and its key don't load: %w", whose, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
