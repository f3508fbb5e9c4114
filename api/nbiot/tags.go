package nbiot

import (
	"net/http"

	"hallpass/domain"
)

type tagValue struct {
	Value string `json:"value"`
}

func (c *call) getTags() (reply, error) {
	t, err := c.find()
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, tagsOf(t)}, nil
}

// setTags merges the body into the tags, and answers all there then are.
func (c *call) setTags() (reply, error) {
	body, err := c.body()
	if err != nil {
		return reply{}, err
	}
	tags, err := readTags(body)
	if err != nil {
		return reply{}, err
	}
	if c.tagsHoldSecret(tags) {
		return reply{}, errHoldsSecret
	}
	t, err := c.edit(change{tags: tags})
	if err != nil {
		return reply{}, err
	}
	return reply{http.StatusOK, tagsOf(t)}, nil
}

func (c *call) getTag() (reply, error) {
	t, err := c.find()
	if err != nil {
		return reply{}, err
	}
	value, ok := tagOf(t, c.tag)
	if !ok {
		return reply{}, errNoTag
	}
	return reply{http.StatusOK, tagValue{value}}, nil
}

func (c *call) removeTag() (reply, error) {
	t, err := c.find()
	if err != nil {
		return reply{}, err
	}
	if _, ok := tagOf(t, c.tag); !ok {
		return reply{}, errNoTag
	}
	if _, err := c.edit(change{tags: map[string]string{c.tag: ""}}); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

// tagOf returns the value of the tag with that folded key.
func tagOf(t *domain.Token, key string) (string, bool) {
	for _, tag := range t.Tags {
		if fold(tag.Key) == key {
			return tag.Value, true
		}
	}
	return "", false
}
