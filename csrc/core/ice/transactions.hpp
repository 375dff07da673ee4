// STUN requests that were sent and may be answered yet: which viewer's, and where to.
//
// Bounds: a transaction dies after kTransactionUs; kMaxTransactions per viewer, the oldest goes.
// Policy: an id that is known already is a retransmission, and changes nothing. Time goes forward only.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <unordered_map>

#include "core/ice/endpoint.hpp"
#include "core/ice/viewer_id.hpp"
#include "core/stun/message.hpp"

namespace mediacore::ice {

// Each check, keep-alive and TURN request is one: some hundred while ICE looks for its way, one in seconds afterwards.
inline constexpr std::size_t kMaxTransactions = 256;
inline constexpr std::int64_t kTransactionUs = 40'000'000;  // aioice's last retransmission is after 39.5 s

class Transactions {
 public:
  struct Transaction {
    ViewerId viewer;
    Endpoint to;
    std::int64_t end_us;
  };

  void note(ViewerId viewer, const stun::TransactionId& id, const Endpoint& to, std::int64_t now_us);
  // None if it is not known or too old. Valid until the next change.
  const Transaction* find(const stun::TransactionId& id, std::int64_t now_us) const;
  void erase(const stun::TransactionId& id);
  void erase_viewer(ViewerId viewer);

  std::size_t size() const noexcept { return by_id_.size(); }

 private:
  // Ids that are looked for come from anybody; those that are here are random ones of ours.
  struct Hash {
    std::size_t operator()(const stun::TransactionId& id) const noexcept {
      std::size_t hash = 0;
      std::memcpy(&hash, id.data(), sizeof hash);
      return hash;
    }
  };

  std::unordered_map<stun::TransactionId, Transaction, Hash> by_id_;
  std::unordered_map<ViewerId, std::deque<stun::TransactionId>> by_viewer_;  // the oldest first
};

}  // namespace mediacore::ice
