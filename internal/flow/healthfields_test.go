package flow

import "testing"

// TestHealthFields has every field of a connection's health, of faults and processes in JSON.
func TestHealthFields(t *testing.T) {
	var chosen []*Field
	for _, f := range fields {
		switch f.Group {
		case groupTCP, groupFaults, groupProcess:
			chosen = append(chosen, f)
		}
	}
	r := sampleTroubled()
	got := string(NewJSON(chosen).Append(nil, &r))
	const want = `{"tcp":{"flags":["SYN","PSH","ACK"],"state":"CLOSE","rtt":850,"min_rtt":410,"handshake":1200,"resets":1,` +
		`"reset_by":"server","connect":"ok","listen_drops":3,"lifetime":5310000},` +
		`"fwd":{"retransmits":1,"drop_packets":2,"drop_bytes":3,"zero_windows":4,"out_of_order":5},` +
		`"rev":{"retransmits":10,"drop_packets":20,"drop_bytes":30,"zero_windows":40,"out_of_order":50},` +
		`"total":{"retransmits":11,"drop_packets":22,"drop_bytes":33,"zero_windows":44,"out_of_order":55},` +
		`"src":{"process":{"pid":4711,"name":"front","container":"3f4c6a1be0d2","runtime":"containerd",` +
		`"pod_uid":"0b9ad5c2-6f0e-4bd5-9a26-4a1a0a8a4c11"}},` +
		`"backend":{"process":{"pid":812,"name":"cart","unit":"cart.service"}}}` + "\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}
