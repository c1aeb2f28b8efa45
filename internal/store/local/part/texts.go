package part

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/seine-net/seine/internal/flow"
)

// TextColumn is a column of texts whose dictionary was read.
type TextColumn struct {
	Dictionary []string
	rows       int
	pages      file.PageReader
}

// OpenTexts reads the dictionary of a column of texts; that of a column which the part lacks is "" alone.
func (g *Group) OpenTexts(field *flow.Field) (column *TextColumn, err error) {
	defer recovered(&err)
	place, ok := g.file.places[field.ID]
	if !ok {
		return &TextColumn{Dictionary: []string{""}, rows: g.rows}, nil
	}
	pages, err := g.file.reader.RowGroup(g.group).GetColumnPageReader(place)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", field.Name, err)
	}
	dictionary, err := readDictionary(pages)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", field.Name, errors.Join(err, pages.Close()))
	}
	return &TextColumn{dictionary, g.rows, pages}, nil
}

func readDictionary(pages file.PageReader) ([]string, error) {
	if !pages.Next() {
		return nil, errors.Join(errors.New("column has no pages"), pages.Err())
	}
	page := pages.Page()
	if page.Type() != file.PageTypeDictionaryPage {
		return nil, errors.New("column has no dictionary")
	}
	return parseDictionary(string(page.Data()), int(page.NumValues()))
}

// parseDictionary cuts a dictionary page: texts with their length in four bytes before each.
func parseDictionary(data string, count int) ([]string, error) {
	if count > len(data)/4 {
		return nil, errIndices
	}
	dictionary := make([]string, 0, count)
	for range count {
		if len(data) < 4 {
			return nil, errIndices
		}
		size := binary.LittleEndian.Uint32([]byte(data[:4]))
		if uint64(size) > uint64(len(data)-4) {
			return nil, errIndices
		}
		dictionary = append(dictionary, data[4:4+size])
		data = data[4+size:]
	}
	return dictionary, nil
}

// Codes fills in the index of each row's text in the dictionary. It is called once.
func (c *TextColumn) Codes(codes []int32) (err error) {
	defer recovered(&err)
	if c.pages == nil {
		clear(codes)
		return nil
	}
	defer c.pages.Close()
	for len(codes) > 0 {
		if !c.pages.Next() {
			return errors.Join(errors.New("column ends early"), c.pages.Err())
		}
		n, err := c.readPage(codes)
		if err != nil {
			return err
		}
		codes = codes[n:]
	}
	return nil
}

func (c *TextColumn) readPage(codes []int32) (int, error) {
	page := c.pages.Page()
	switch encoding := parquet.Encoding(page.Encoding()); encoding {
	case parquet.Encodings.RLEDict, parquet.Encodings.PlainDict:
	default:
		return 0, fmt.Errorf("column is encoded as %s, want a dictionary", encoding)
	}
	n := min(int(page.NumValues()), len(codes))
	return n, decodeIndices(codes[:n], page.Data(), len(c.Dictionary))
}

// Close ends a column whose codes are not wanted.
func (c *TextColumn) Close() error {
	if c.pages == nil {
		return nil
	}
	return c.pages.Close()
}
