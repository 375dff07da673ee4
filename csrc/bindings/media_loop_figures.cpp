#include "bindings/media_loop_figures.hpp"

namespace py = pybind11;

namespace mediacore::bindings {

using namespace io;

py::dict to_dict(const RenditionFigures& figures) {
  py::dict dict;
  dict["units"] = figures.units;
  dict["bytes"] = figures.bytes;
  dict["key_frames"] = figures.key_frames;
  dict["key_frame_wishes"] = figures.key_frame_wishes;
  dict["viewers"] = figures.viewers;
  dict["taps"] = figures.taps;
  dict["fps"] = figures.fps;
  dict["bitrate_bps"] = figures.bitrate_bps;
  dict["gop_bytes"] = figures.gop_bytes;
  dict["late_units"] = figures.late_units;
  dict["refused_units"] = figures.refused_units;
  dict["lost_units"] = figures.lost_units;
  dict["least_queue_us"] = figures.least_queue_us;
  dict["most_queue_us"] = figures.most_queue_us;
  return dict;
}

py::dict to_dict(const SourceFigures& figures) {
  py::dict dict;
  dict["bytes"] = figures.bytes;
  dict["units"] = figures.units;
  dict["key_frames"] = figures.key_frames;
  dict["cut_units"] = figures.cut_units;
  dict["corrupt"] = figures.corrupt;
  dict["oversize"] = figures.oversize;
  dict["dropped"] = figures.dropped;
  dict["wrong_flushes"] = figures.wrong_flushes;
  dict["before_key"] = figures.before_key;
  dict["superseded"] = figures.superseded;
  dict["skipped_bytes"] = figures.skipped_bytes;
  dict["idle_us"] = figures.idle_us;
  dict["current"] = static_cast<int>(figures.current);
  dict["ended"] = static_cast<int>(figures.ended);
  return dict;
}

py::dict to_dict(const TapFigures& figures) {
  py::dict dict;
  dict["pushed"] = figures.pushed;
  dict["delivered"] = figures.delivered;
  dict["queued"] = figures.queued;
  dict["dropped_slow"] = figures.dropped_slow;
  dict["dropped_before_key"] = figures.dropped_before_key;
  return dict;
}

namespace {

void add_egress(py::dict& dict, const egress::EgressStats& stats) {
  dict["frames"] = stats.frames;
  dict["packets"] = stats.packets;
  dict["bytes"] = stats.bytes;
  dict["retransmitted"] = stats.retransmitted;
  dict["retransmission_bytes"] = stats.retransmission_bytes;
  dict["nacked"] = stats.nacked;
  dict["nack_unknown"] = stats.nack_unknown;
  dict["nack_limited"] = stats.nack_limited;
  dict["key_frame_requests"] = stats.key_frame_requests;
  dict["reports"] = stats.reports;
  dict["transport_feedbacks"] = stats.transport_feedbacks;
  dict["rtcp_forged"] = stats.rtcp_forged;
  dict["rtcp_malformed"] = stats.rtcp_malformed;
  dict["rtcp_limited"] = stats.rtcp_limited;
  dict["dropped_before_key"] = stats.dropped_before_key;
  dict["dropped_slow"] = stats.dropped_slow;
  dict["dropped_audio"] = stats.dropped_audio;
  dict["dropped_too_large"] = stats.dropped_too_large;
  dict["rtt_us"] = stats.rtt_us;
  dict["loss"] = stats.loss;
  dict["remb_bps"] = stats.remb_bps;
  dict["queued_bytes"] = stats.queued_bytes;
  dict["queued_frames"] = stats.queued_frames;
  dict["pacing_bps"] = stats.pacing_bps;
  dict["first_packet_us"] = stats.first_packet_us;
  dict["heard_us"] = stats.heard_us;
}

void add_send(py::dict& dict, const SendStats& stats) {
  dict["send_calls"] = stats.calls;
  dict["messages_out"] = stats.messages;
  dict["datagrams_out"] = stats.packets;
  dict["bytes_out"] = stats.bytes;
  dict["dropped_full"] = stats.dropped_full;
  dict["dropped_error"] = stats.dropped_error;
  dict["dropped_closed"] = stats.dropped_closed;
  dict["gso_refused"] = stats.gso_refused;
}

void add_demux(py::dict& dict, const ice::DemuxStats& stats) {
  dict["unknown_ufrag"] = stats.unknown_ufrag;
  dict["unknown_session"] = stats.unknown_session;
  dict["bad_integrity"] = stats.bad_integrity;
  dict["unknown_transaction"] = stats.unknown_transaction;
  dict["unknown_address"] = stats.unknown_address;
  dict["malformed"] = stats.malformed;
  dict["indications"] = stats.indications;
  dict["answered"] = stats.answered;
}

}  // namespace

py::dict to_dict(const MediaLoop::ViewerState& state) {
  py::dict dict;
  add_egress(dict, state.figures.egress);
  dict["replays"] = state.figures.replays;
  dict["silent_us"] = state.silent_us;
  dict["datagrams_up"] = state.datagrams_up;
  dict["quota_drops"] = state.quota_drops;
  dict["handed_us_p50"] = state.handed.p50_us;
  dict["handed_us_p95"] = state.handed.p95_us;
  dict["handed_us_p99"] = state.handed.p99_us;
  dict["arrival_us_p50"] = state.arrival.p50_us;
  dict["arrival_us_p95"] = state.arrival.p95_us;
  dict["arrival_us_p99"] = state.arrival.p99_us;
  dict["nack_us_p50"] = state.nack.p50_us;
  dict["nack_us_p95"] = state.nack.p95_us;
  dict["nack_us_p99"] = state.nack.p99_us;
  return dict;
}

py::dict to_dict(const MediaLoop::Figures& figures) {
  py::dict dict;
  dict["cpu_ns"] = figures.cpu_ns;
  dict["wake_ups"] = figures.threads.wake_ups;
  dict["commands"] = figures.threads.commands;
  dict["commands_queued"] = figures.commands_queued;
  dict["commands_refused"] = figures.commands_refused;
  dict["events_queued"] = figures.events.events;
  dict["datagrams_queued"] = figures.events.datagrams;
  dict["quota_drops"] = figures.events.quota_drops;
  dict["datagrams_in"] = figures.threads.datagrams_in;
  dict["rtp_in"] = figures.threads.rtp_in;
  dict["no_keys"] = figures.threads.no_keys;
  dict["rtcp_refused"] = figures.threads.rtcp_refused;
  dict["rtcp_limited"] = figures.threads.rtcp_limited;
  dict["faults"] = figures.threads.faults;
  add_demux(dict, figures.threads.demux);
  add_send(dict, figures.threads.send);
  return dict;
}

}  // namespace mediacore::bindings
