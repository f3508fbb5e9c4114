package eventstore

// PreferOwn makes Read forget that a reader of the own server was given up.
func (l *JetStream) PreferOwn() { l.avoidOwn.Store(0) }
