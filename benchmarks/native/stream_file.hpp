// An Annex B file and its access units, for the benchmarks.
#pragma once

#include <cstdint>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/h264/access_unit_parser.hpp"

namespace mediacore::benchmarks {

struct StreamFile {
  explicit StreamFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    data.assign(std::istreambuf_iterator<char>(file), {});
    name = path.substr(path.find_last_of('/') + 1);
    name = name.substr(0, name.find('.'));
    h264::AccessUnitParser parser;
    const auto keep = [this](const h264::AccessUnitView& unit) {
      // Zeros between units are part of none, and none is lost.
      units.emplace_back(std::span(data).subspan(unit.position, unit.data.size()));
    };
    if (parser.push(data, false, keep)) throw std::runtime_error(path + " passes a limit of the parser");
    parser.flush(keep);
    if (units.empty()) throw std::runtime_error(path + " has no access unit");
  }
  StreamFile(const StreamFile&) = delete;  // the units are views of the data
  StreamFile& operator=(const StreamFile&) = delete;

  std::string name;
  std::vector<std::uint8_t> data;
  std::vector<std::span<const std::uint8_t>> units;
};

}  // namespace mediacore::benchmarks
