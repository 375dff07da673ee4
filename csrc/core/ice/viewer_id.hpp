// The number of a viewer: above 0, and never used again.
#pragma once

#include <cstdint>

namespace mediacore::ice {

using ViewerId = std::uint64_t;

}  // namespace mediacore::ice
