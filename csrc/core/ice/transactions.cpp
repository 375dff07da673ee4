#include "core/ice/transactions.hpp"

#include <algorithm>

namespace mediacore::ice {

void Transactions::note(ViewerId viewer, const stun::TransactionId& id, const Endpoint& to, std::int64_t now_us) {
  if (find(id, now_us) != nullptr) return;
  std::deque<stun::TransactionId>& ids = by_viewer_[viewer];
  const auto is_over = [&](const stun::TransactionId& oldest) { return by_id_.at(oldest).end_us <= now_us; };
  while (!ids.empty() && (ids.size() >= kMaxTransactions || is_over(ids.front()))) {
    by_id_.erase(ids.front());
    ids.pop_front();
  }
  if (by_id_.try_emplace(id, Transaction{viewer, to, now_us + kTransactionUs}).second) ids.push_back(id);
}

const Transactions::Transaction* Transactions::find(const stun::TransactionId& id, std::int64_t now_us) const {
  const auto found = by_id_.find(id);
  return found != by_id_.end() && found->second.end_us > now_us ? &found->second : nullptr;
}

void Transactions::erase(const stun::TransactionId& id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  std::erase(by_viewer_[found->second.viewer], id);
  by_id_.erase(found);
}

void Transactions::erase_viewer(ViewerId viewer) {
  const auto found = by_viewer_.find(viewer);
  if (found == by_viewer_.end()) return;
  for (const stun::TransactionId& id : found->second) by_id_.erase(id);
  by_viewer_.erase(found);
}

}  // namespace mediacore::ice
