package part

import (
	"fmt"

	"github.com/seine-net/seine/internal/flow"
)

// Input is rows to be written: a batch in memory, or a row group of another part. What it returns is only read.
type Input interface {
	Rows() int
	// Lacks says that no row has a value of the field, as far as that can be told without reading.
	Lacks(f *flow.Field) bool
	Texts(f *flow.Field) (dictionary []string, codes []int32, err error)
	Numbers(f *flow.Field) (values []int64, null []bool, err error)
}

// Row is a row of one of several inputs.
type Row struct{ Input, Row uint32 }

// mergedTexts is a column of texts of several inputs with one dictionary.
type mergedTexts struct {
	dictionary []string
	// codes holds the index of each row of each input.
	codes [][]int32
}

func mergeTexts(inputs []Input, f *flow.Field) (mergedTexts, error) {
	if len(inputs) == 1 {
		dictionary, codes, err := inputs[0].Texts(f)
		return mergedTexts{dictionary, [][]int32{codes}}, err
	}
	var m mergedTexts
	known := make(map[string]int32)
	m.codes = make([][]int32, len(inputs))
	for i, input := range inputs {
		if input == nil {
			continue
		}
		dictionary, codes, err := input.Texts(f)
		if err != nil {
			return m, fmt.Errorf("read %s: %w", f.Name, err)
		}
		m.codes[i] = m.translate(known, dictionary, codes)
	}
	return m, nil
}

func (m *mergedTexts) translate(known map[string]int32, dictionary []string, codes []int32) []int32 {
	own := make([]int32, len(dictionary))
	for i, text := range dictionary {
		code, ok := known[text]
		if !ok {
			code = int32(len(m.dictionary))
			known[text] = code
			m.dictionary = append(m.dictionary, text)
		}
		own[i] = code
	}
	merged := make([]int32, len(codes))
	for i, code := range codes {
		merged[i] = own[code]
	}
	return merged
}

// mergedNumbers is a column of numbers of several inputs.
type mergedNumbers struct {
	values [][]int64
	// null has nil for an input without nulls.
	null [][]bool
}

func mergeNumbers(inputs []Input, f *flow.Field) (mergedNumbers, error) {
	m := mergedNumbers{make([][]int64, len(inputs)), make([][]bool, len(inputs))}
	for i, input := range inputs {
		if input == nil {
			continue
		}
		values, null, err := input.Numbers(f)
		if err != nil {
			return m, fmt.Errorf("read %s: %w", f.Name, err)
		}
		m.values[i], m.null[i] = values, null
	}
	return m, nil
}

// used returns the inputs that rows are of, at their places, with nil for the others, which need not be read.
func used(inputs []Input, rows []Row) []Input {
	some := make([]Input, len(inputs))
	for _, row := range rows {
		some[row.Input] = inputs[row.Input]
	}
	return some
}
