// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Which packets are hit: reads a packet's headers and compares them with the rules. Part of impair.bpf.c, which declares rules and maps.
#pragma once

struct packet {
  struct arashi_peer source, destination;
  __u16 source_port, destination_port;
  __u8 protocol;   // IANA number behind the extension headers
  __u8 has_ports;  // false for fragments behind the first
  __u8 icmp_type;
  __u8 dscp;
  __u8 opens;  // a connection: TCP's SYN, SCTP's INIT, and their answers; read only where rules.spare_open asks for it
};

static __always_inline int load(struct __sk_buff* skb, __u32 at, void* to, __u32 length) {
  return bpf_skb_load_bytes_relative(skb, at, to, length, BPF_HDR_START_NET);
}

static __always_inline void map_v4(struct arashi_peer* peer, __u32 address) {
  peer->prefix = 128;
  __builtin_memset(peer->address, 0, 10);
  peer->address[10] = peer->address[11] = 0xff;
  __builtin_memcpy(peer->address + 12, &address, 4);
}

// RFC 9293 3.1: SYN is bit 1 of byte 13. RFC 9260 3: the first chunk's type is byte 12, INIT is 1 and INIT ACK 2.
static __always_inline void read_opening(struct __sk_buff* skb, __u32 at, struct packet* packet) {
  __u8 sign = 0;
  if (packet->protocol == IPPROTO_TCP && load(skb, at + 13, &sign, 1) == 0) packet->opens = (sign >> 1) & 1;
  if (packet->protocol == IPPROTO_SCTP && load(skb, at + 12, &sign, 1) == 0) packet->opens = sign == 1 || sign == 2;
}

static __always_inline void read_ports(struct __sk_buff* skb, __u32 at, struct packet* packet) {
  __u16 ports[2];
  if (packet->protocol == IPPROTO_ICMPV6) {
    load(skb, at, &packet->icmp_type, 1);
    return;
  }
  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP && packet->protocol != IPPROTO_SCTP) return;
  if (load(skb, at, ports, sizeof ports) < 0) return;
  packet->source_port = bpf_ntohs(ports[0]);
  packet->destination_port = bpf_ntohs(ports[1]);
  packet->has_ports = 1;
  if (rules.spare_open) read_opening(skb, at, packet);
}

static __always_inline int read_v4(struct __sk_buff* skb, struct packet* packet) {
  struct iphdr ip;
  if (load(skb, 0, &ip, sizeof ip) < 0) return -1;
  map_v4(&packet->source, ip.saddr);
  map_v4(&packet->destination, ip.daddr);
  packet->dscp = ip.tos >> 2;
  packet->protocol = ip.protocol;
  if ((ip.frag_off & bpf_htons(0x1fff)) == 0) read_ports(skb, ip.ihl * 4, packet);
  return 0;
}

// At most this many extension headers; a packet with more, or with one we don't know, has that header's number as its protocol.
#define MOST_HEADERS 6

static __always_inline int read_v6(struct __sk_buff* skb, struct packet* packet) {
  struct ipv6hdr ip;
  __u32 at = sizeof ip;
  __u16 later_fragment = 0;
  if (load(skb, 0, &ip, sizeof ip) < 0) return -1;
  packet->source.prefix = packet->destination.prefix = 128;
  __builtin_memcpy(packet->source.address, &ip.saddr, 16);
  __builtin_memcpy(packet->destination.address, &ip.daddr, 16);
  packet->dscp = (ip.priority << 2) | (ip.flow_lbl[0] >> 6);  // traffic class without its two ECN bits
  packet->protocol = ip.nexthdr;
#pragma unroll
  for (int i = 0; i < MOST_HEADERS; ++i) {
    __u8 head[4];  // next header, length or reserved, fragment offset
    const __u8 kind = packet->protocol;
    if (kind != IPPROTO_HOPOPTS && kind != IPPROTO_ROUTING && kind != IPPROTO_DSTOPTS && kind != IPPROTO_FRAGMENT && kind != IPPROTO_AH)
      break;
    if (load(skb, at, head, sizeof head) < 0) return 0;
    if (kind == IPPROTO_FRAGMENT) {
      later_fragment = ((head[2] << 8) | head[3]) & 0xfff8;
      at += 8;
    } else if (kind == IPPROTO_AH) {
      at += (head[1] + 2) * 4;
    } else {
      at += (head[1] + 1) * 8;
    }
    packet->protocol = head[0];
    if (later_fragment) return 0;
  }
  read_ports(skb, at, packet);
  return 0;
}

static __always_inline __u8 verdict_of(const struct arashi_peer* peer) {
  const __u8* found = bpf_map_lookup_elem(&peers, peer);
  return found ? *found : ARASHI_PASS;
}

static __always_inline int has_bit(const __u64* bits, __u16 port) {
  return (bits[(port >> 6) & (ARASHI_PORT_WORDS - 1)] >> (port & 63)) & 1;
}

static __always_inline int protocol_matches(const struct packet* packet) {
  switch (rules.protocol) {
    case ARASHI_TCP:
      return packet->protocol == IPPROTO_TCP;
    case ARASHI_UDP:
      return packet->protocol == IPPROTO_UDP;
    case ARASHI_ICMP:
      return packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
    case ARASHI_SCTP:
      return packet->protocol == IPPROTO_SCTP;
    default:
      return 1;
  }
}

static __always_inline int dscp_matches(const struct packet* packet) { return !rules.dscp || ((rules.dscp >> packet->dscp) & 1); }

static __always_inline __u16 remote_port_of(const struct packet* packet) {
  return rules.egress ? packet->destination_port : packet->source_port;
}

static __always_inline __u16 local_port_of(const struct packet* packet) {
  return rules.egress ? packet->source_port : packet->destination_port;
}

// What runners and agents say to each other. Elsewhere than at home an agent is always on the far side, so somebody's own service with that
// port is hit there.
static __always_inline int is_control(const struct packet* packet) {
  if (!rules.control_port || packet->protocol != IPPROTO_TCP || !packet->has_ports) return 0;
  return remote_port_of(packet) == rules.control_port || (rules.home && local_port_of(packet) == rules.control_port);
}

static __always_inline int ports_match(const struct packet* packet) {
  if ((rules.some_ports || rules.some_local) && !packet->has_ports) return 0;
  if (rules.some_ports && !has_bit(remote_ports, remote_port_of(packet))) return 0;
  return !rules.some_local || has_bit(local_ports, local_port_of(packet));
}

static __always_inline int is_of_the_link(const struct packet* packet) {
  if (packet->protocol == IPPROTO_ICMPV6) return (packet->icmp_type >= 130 && packet->icmp_type <= 137) || packet->icmp_type == 143;
  return packet->protocol == IPPROTO_IGMP;
}

// A connection that is opened while all that opens one is hit never comes to be: so what else there is belongs to an older one.
static __always_inline int is_of_open_connection(const struct packet* packet) {
  return (packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_SCTP) && !packet->opens;
}

static __always_inline int is_hit(struct __sk_buff* skb) {
  struct packet packet = {};
  if (skb->protocol == bpf_htons(ETH_P_IP)) {
    if (read_v4(skb, &packet) < 0) return 0;
  } else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
    if (read_v6(skb, &packet) < 0) return 0;
  } else {
    return 0;
  }
  if (is_of_the_link(&packet) || is_control(&packet)) return 0;
  if (rules.spare_open && is_of_open_connection(&packet)) return 0;
  if (!protocol_matches(&packet) || !ports_match(&packet) || !dscp_matches(&packet)) return 0;
  if (rules.all_peers) return 1;
  if (rules.egress) return verdict_of(&packet.destination) == ARASHI_HIT;
  return verdict_of(&packet.source) == ARASHI_HIT;
}
