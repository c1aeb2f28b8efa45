// Package columns holds records as Arrow record batches: the form in which they leave an agent's send queue, travel,
// and are kept and searched. The field table of package flow is turned into columns here and nowhere else.
//
// A Dataset has the schema. A Builder turns records into batches; Encode and Decode turn batches into bytes and back.
// Conform gives a batch of an older or newer version the schema of this one. TextsOf and NumbersOf read a batch by
// field, derived fields included; they serve the evaluators of package query and the stores.
//
// Names, addresses, protocols and enumerations are texts in a dictionary, "" where unknown, so that any reader of the
// files sees sense. Numbers that a record does not have are null. A batch holds its own dictionaries and depends on
// no other. The package opens nothing and knows neither stores nor the network.
package columns
