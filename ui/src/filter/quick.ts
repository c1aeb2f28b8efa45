// Quick filters: each is offered where the server has the fields that it needs.
export const quickFilters: { label: string; hint?: string; filter: string; needs: string[] }[] = [
  { label: "Translated connections", hint: "through a Service or NAT", filter: 'nat != "none"', needs: ["nat"] },
  { label: "To Services", filter: 'dst.kind == "Service"', needs: ["dst.kind"] },
  { label: "Not to Services", hint: "dialled directly", filter: 'dst.kind != "Service"', needs: ["dst.kind"] },
  { label: "From outside the cluster", filter: 'src.kind == "External"', needs: ["src.kind"] },
  { label: "To outside the cluster", filter: 'backend.kind == "External"', needs: ["backend.kind"] },
  { label: "Failed connects", filter: 'tcp.connect in ["refused", "timeout", "unreachable"]', needs: ["tcp.connect"] },
  { label: "Reset connections", filter: "tcp.resets > 0", needs: ["tcp.resets"] },
  { label: "Resets seen", hint: "RST in either direction", filter: 'tcp.flags.contains("RST")', needs: ["tcp.flags"] },
  { label: "With retransmits", filter: "total.retransmits > 0", needs: ["total.retransmits"] },
  { label: "With drops", filter: "total.drop_packets > 0", needs: ["total.drop_packets"] },
  { label: "Across zones", filter: 'traffic.class == "cross_zone"', needs: ["traffic.class"] },
  { label: "DNS", hint: "port 53", filter: "dst.port == 53", needs: ["dst.port"] },
];
