// RTCP: translation only. What the names mean is said in core/rtcp/reader.hpp and writer.hpp.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <string>
#include <variant>
#include <vector>

#include "bindings/bytes_like.hpp"
#include "bindings/module.hpp"
#include "bindings/results.hpp"
#include "core/rtcp/reader.hpp"
#include "core/rtcp/writer.hpp"

namespace py = pybind11;

namespace mediacore::bindings {
namespace {

using namespace rtcp;

// As they stand in the packet.
using Block =
    std::tuple<std::uint32_t, std::uint8_t, std::int32_t, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>;
using Arrivals = std::vector<std::pair<std::uint16_t, std::optional<std::int32_t>>>;

std::vector<Block> to_blocks(const ReportBlocks& reports) {
  std::vector<Block> blocks;
  blocks.reserve(reports.size());
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const ReportBlock block = reports[i];
    blocks.emplace_back(block.ssrc, block.fraction_lost, block.cumulative_lost, block.highest_sequence, block.jitter,
                        block.last_sr, block.delay_since_last_sr);
  }
  return blocks;
}

std::vector<ReportBlock> from_blocks(const std::vector<Block>& blocks) {
  std::vector<ReportBlock> reports;
  reports.reserve(blocks.size());
  for (const Block& block : blocks) reports.push_back(std::make_from_tuple<ReportBlock>(block));
  return reports;
}

struct ToTuple {
  py::tuple operator()(const SenderReport& report) const {
    return py::make_tuple("sr", report.ssrc, report.ntp, report.rtp_timestamp, report.packets, report.octets,
                          to_blocks(report.reports));
  }
  py::tuple operator()(const ReceiverReport& report) const {
    return py::make_tuple("rr", report.ssrc, to_blocks(report.reports));
  }
  py::tuple operator()(const Nack& nack) const {
    std::vector<std::uint16_t> lost;
    nack.for_each([&](std::uint16_t number) { lost.push_back(number); });
    return py::make_tuple("nack", nack.media_ssrc, lost);
  }
  py::tuple operator()(const PictureLoss& loss) const { return py::make_tuple("pli", loss.media_ssrc); }
  py::tuple operator()(const FullIntraRequest& request) const {
    return py::make_tuple("fir", request.media_ssrc, request.sequence_number);
  }
  py::tuple operator()(const Remb& remb) const { return py::make_tuple("remb", remb.bitrate_bps); }
  py::tuple operator()(const TransportFeedback& feedback) const {
    Arrivals arrivals;
    arrivals.reserve(feedback.status_count);
    feedback.for_each([&](std::uint16_t sequence, bool received, std::int32_t delta) {
      arrivals.emplace_back(sequence, received ? std::optional(delta) : std::nullopt);
    });
    return py::make_tuple("twcc", feedback.reference_time_64ms, feedback.feedback_count, arrivals);
  }
  py::tuple operator()(const Bye& bye) const { return py::make_tuple("bye", bye.ssrc); }
};

py::tuple read_rtcp(py::handle data) {
  const BytesLike bytes(data);
  Reader reader(bytes.view());
  py::list items;
  while (const auto item = reader.next()) items.append(std::visit(ToTuple{}, *item));
  if (const auto error = reader.error()) raise(*error);
  return py::make_tuple(items, reader.skipped());
}

// The largest payload of a UDP datagram over IPv4.
constexpr std::size_t kMostBytes = 65'507;

// What `write` writes.
template <class Write>
py::bytes written(Write&& write) {
  std::vector<std::uint8_t> out(kMostBytes);
  Writer writer(out);
  if (!write(writer)) throw py::value_error("these values have no place in an RTCP packet");
  return to_bytes(writer.view());
}

py::bytes write_transport_feedback(std::uint32_t sender, std::uint32_t media, std::int32_t reference_time_64ms,
                                   std::uint8_t feedback_count, const Arrivals& arrivals) {
  std::vector<Writer::Arrival> told;
  told.reserve(arrivals.size());
  for (const auto& [sequence, delta] : arrivals) told.push_back({sequence, delta.has_value(), delta.value_or(0)});
  return written([&](Writer& writer) {
    return writer.transport_feedback(sender, media, reference_time_64ms, feedback_count, told);
  });
}

}  // namespace

void bind_rtcp(py::module_& m) {
  m.def("read_rtcp", &read_rtcp, py::arg("data"), "The items of a compound packet, and how many packets were skipped.");
  m.def("write_rtcp_sr", [](std::uint32_t ssrc, std::uint64_t ntp, std::uint32_t rtp_timestamp, std::uint32_t packets,
                            std::uint32_t octets, const std::vector<Block>& reports) {
    return written([&](Writer& writer) {
      return writer.sender_report(ssrc, ntp, rtp_timestamp, packets, octets, from_blocks(reports));
    });
  });
  m.def("write_rtcp_rr", [](std::uint32_t ssrc, const std::vector<Block>& reports) {
    return written([&](Writer& writer) { return writer.receiver_report(ssrc, from_blocks(reports)); });
  });
  m.def("write_rtcp_sdes", [](std::uint32_t ssrc, const std::string& cname) {
    return written([&](Writer& writer) { return writer.sdes_cname(ssrc, cname); });
  });
  m.def("write_rtcp_bye", [](const std::vector<std::uint32_t>& ssrcs) {
    return written([&](Writer& writer) { return writer.bye(ssrcs); });
  });
  m.def("write_rtcp_nack", [](std::uint32_t sender, std::uint32_t media, const std::vector<std::uint16_t>& lost) {
    return written([&](Writer& writer) { return writer.nack(sender, media, lost); });
  });
  m.def("write_rtcp_pli", [](std::uint32_t sender, std::uint32_t media) {
    return written([&](Writer& writer) { return writer.picture_loss(sender, media); });
  });
  m.def("write_rtcp_fir", [](std::uint32_t sender, std::uint32_t media, std::uint8_t number) {
    return written([&](Writer& writer) { return writer.full_intra_request(sender, media, number); });
  });
  m.def("write_rtcp_remb",
        [](std::uint32_t sender, std::uint64_t bitrate_bps, const std::vector<std::uint32_t>& ssrcs) {
          return written([&](Writer& writer) { return writer.remb(sender, bitrate_bps, ssrcs); });
        });
  m.def("write_rtcp_twcc", &write_transport_feedback);
}

}  // namespace mediacore::bindings
