// Package cost says what traffic costs: how far a connection goes, as providers bill it, and the price of its bytes.
//
// Amounts are whole pico-USD (10⁻¹² USD). A record of 74 bytes across zones costs 740 of them at 0.01 USD/GB, so that what
// is rounded off stays far below a cent in the sum of a billion records; 63 bits hold 9.2 million USD.
//
// Prices are a [Table]: a preset with its source and date, or a file of the user's. The package knows neither records'
// columns nor the cluster.
package cost
