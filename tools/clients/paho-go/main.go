// The cases with Paho's client for Go.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

const (
	patience = 15 * time.Second
	many     = 100
)

var (
	url    string
	trust  *tls.Config
	prefix = fmt.Sprintf("go/%d", time.Now().UnixNano())
)

type client struct {
	mqtt     mqtt.Client
	messages chan mqtt.Message
	lost     chan error
}

func done(token mqtt.Token) error {
	if !token.WaitTimeout(patience) {
		return errors.New("it took too long")
	}
	return token.Error()
}

func open(name string, clean bool, will string) (*client, error) {
	opened := &client{messages: make(chan mqtt.Message, 1000), lost: make(chan error, 10)}
	options := mqtt.NewClientOptions().AddBroker(url).SetClientID(prefix + "/" + name).SetCleanSession(clean)
	options.SetAutoReconnect(false).SetTLSConfig(trust)
	options.SetDefaultPublishHandler(func(_ mqtt.Client, message mqtt.Message) { opened.messages <- message })
	options.SetConnectionLostHandler(func(_ mqtt.Client, err error) { opened.lost <- err })
	if will != "" {
		options.SetWill(will, "gone", 1, false)
	}
	opened.mqtt = mqtt.NewClient(options)
	return opened, done(opened.mqtt.Connect())
}

func (c *client) subscribe(topic string) error { return done(c.mqtt.Subscribe(topic, 2, nil)) }

func (c *client) publish(topic string, payload []byte, qos byte, retain bool) error {
	return done(c.mqtt.Publish(topic, qos, retain, payload))
}

func (c *client) expect(payload []byte, retained bool) error {
	select {
	case message := <-c.messages:
		if !bytes.Equal(message.Payload(), payload) || message.Retained() != retained {
			return fmt.Errorf("another message came, of %d bytes, retained %v", len(message.Payload()), message.Retained())
		}
		return nil
	case <-time.After(patience):
		return errors.New("no message came")
	}
}

func (c *client) leave() { c.mqtt.Disconnect(100) }

// numbers publishes and expects that many messages.
func numbers(from, to *client, topic string, qos byte) error {
	for number := range many {
		if err := from.publish(topic, fmt.Append(nil, number), qos, false); err != nil {
			return err
		}
	}
	for number := range many {
		if err := to.expect(fmt.Append(nil, number), false); err != nil {
			return fmt.Errorf("message %d: %w", number, err)
		}
	}
	return nil
}

func exchange(qos byte) func() error {
	return func() error {
		c, err := open("qos", true, "")
		if err != nil {
			return err
		}
		defer c.leave()
		topic := fmt.Sprintf("%s/qos%d", prefix, qos)
		if err := c.subscribe(topic); err != nil {
			return err
		}
		return numbers(c, c, topic, qos)
	}
}

func retained() error {
	c, err := open("keeper", true, "")
	if err != nil {
		return err
	}
	defer c.leave()
	topic := prefix + "/retained"
	return errors.Join(c.publish(topic, []byte("kept"), 1, true), c.subscribe(topic), c.expect([]byte("kept"), true))
}

func will() error {
	topic := prefix + "/will"
	watcher, err := open("watcher", true, "")
	if err != nil {
		return err
	}
	defer watcher.leave()
	if err := watcher.subscribe(topic); err != nil {
		return err
	}
	if _, err := open("mortal", true, topic); err != nil {
		return err
	}
	heir, err := open("mortal", true, "")
	if err != nil {
		return err
	}
	defer heir.leave()
	return watcher.expect([]byte("gone"), false)
}

func queue() error {
	topic := prefix + "/queue"
	before, err := open("sleeper", false, "")
	if err != nil {
		return err
	}
	if err := before.subscribe(topic); err != nil {
		return err
	}
	before.leave()
	waker, err := open("waker", true, "")
	if err != nil {
		return err
	}
	defer waker.leave()
	for number := range many {
		if err := waker.publish(topic, fmt.Append(nil, number), 1, false); err != nil {
			return err
		}
	}
	after, err := open("sleeper", false, "")
	if err != nil {
		return err
	}
	defer after.leave()
	for number := range many {
		if err := after.expect(fmt.Append(nil, number), false); err != nil {
			return fmt.Errorf("message %d: %w", number, err)
		}
	}
	return nil
}

func takeOver() error {
	first, err := open("same", true, "")
	if err != nil {
		return err
	}
	second, err := open("same", true, "")
	if err != nil {
		return err
	}
	defer second.leave()
	select {
	case <-first.lost:
	case <-time.After(patience):
		return errors.New("the first connection was not ended")
	}
	return second.subscribe(prefix + "/same")
}

func large() error {
	payload := make([]byte, 5*1024*1024)
	for index := range payload {
		payload[index] = byte(index*31 + index/256)
	}
	c, err := open("large", true, "")
	if err != nil {
		return err
	}
	defer c.leave()
	topic := prefix + "/large"
	return errors.Join(c.subscribe(topic), c.publish(topic, payload, 1, false), c.expect(payload, false))
}

func main() {
	url = os.Args[1]
	certificate, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	trust = &tls.Config{RootCAs: pool}
	for _, one := range []struct {
		name string
		run  func() error
	}{
		{"qos0", exchange(0)}, {"qos1", exchange(1)}, {"qos2", exchange(2)}, {"retained", retained},
		{"will", will}, {"queue", queue}, {"takeover", takeOver}, {"large", large},
	} {
		if err := one.run(); err != nil {
			fmt.Printf("%s FAILED %s\n", one.name, strings.ReplaceAll(err.Error(), "\n", "; "))
		} else {
			fmt.Printf("%s ok\n", one.name)
		}
	}
}
