#include "core/ice/address_book.hpp"

#include <algorithm>

namespace mediacore::ice {

AddressBook::Address& AddressBook::take(ViewerId viewer, const Endpoint& from, Change& change) {
  const auto [entry, is_new] = by_endpoint_.try_emplace(from, Address{viewer});
  if (!is_new && entry->second.viewer == viewer) return entry->second;
  if (!is_new) {
    Viewer& former = viewers_[entry->second.viewer];
    std::erase(former.addresses, from);
    if (former.destination == from) {
      former.destination.reset();
      change.displaced = entry->second.viewer;
    }
    entry->second = Address{viewer};
  }
  change.news = true;
  Viewer& owner = viewers_[viewer];
  if (owner.addresses.size() >= kMaxAddresses) {
    const auto oldest = std::find_if(owner.addresses.begin(), owner.addresses.end(),
                                     [&](const Endpoint& address) { return address != owner.destination; });
    by_endpoint_.erase(*oldest);
    owner.addresses.erase(oldest);
  }
  owner.addresses.push_back(from);
  return entry->second;
}

void AddressBook::settle(const Address& address, const Endpoint& at, Change& change) {
  if (!address.valid || !address.nominated) return;
  Viewer& viewer = viewers_[address.viewer];
  if (viewer.destination == at) return;
  viewer.destination = at;
  change.moved = true;
}

AddressBook::Change AddressBook::heard_request(ViewerId viewer, const Endpoint& from, bool nominates) {
  Change change;
  const auto known = by_endpoint_.find(from);
  if (known != by_endpoint_.end() && known->second.viewer != viewer && known->second.valid) {
    change.news = true;
    return change;
  }
  Address& address = take(viewer, from, change);
  if (nominates) {
    change.news = change.news || !address.nominated;
    address.nominated = true;
    settle(address, from, change);
  }
  return change;
}

AddressBook::Change AddressBook::heard_success(ViewerId viewer, const Endpoint& from) {
  Change change;
  Address& address = take(viewer, from, change);
  if (!address.valid) {
    address.valid = true;
    settle(address, from, change);
  }
  return change;
}

ViewerId AddressBook::owner(const Endpoint& from) const {
  const auto found = by_endpoint_.find(from);
  return found == by_endpoint_.end() ? 0 : found->second.viewer;
}

std::optional<Endpoint> AddressBook::destination(ViewerId viewer) const {
  const auto found = viewers_.find(viewer);
  return found == viewers_.end() ? std::nullopt : found->second.destination;
}

void AddressBook::erase_viewer(ViewerId viewer) {
  const auto found = viewers_.find(viewer);
  if (found == viewers_.end()) return;
  for (const Endpoint& address : found->second.addresses) by_endpoint_.erase(address);
  viewers_.erase(found);
}

void AddressBook::erase_socket(ViewerId viewer, std::uint16_t socket) {
  const auto found = viewers_.find(viewer);
  if (found == viewers_.end()) return;
  std::erase_if(found->second.addresses,
                [&](const Endpoint& address) { return address.socket == socket && by_endpoint_.erase(address) > 0; });
  auto& destination = found->second.destination;
  if (destination && destination->socket == socket) destination.reset();
}

}  // namespace mediacore::ice
