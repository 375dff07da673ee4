// Which viewer is heard from where, and where its media goes.
//
// Nomination (RFC 8445 7.3.1.5, the controlled side): an address is valid after a success response to our check from it,
//   nominated after a request with USE-CANDIDATE; both: media goes there. A later response moves nothing; a new valid and
//   nominated address takes media over.
// Whose an address is: the viewer's whose authentic STUN came from it last. But an address that has proved to be a viewer's,
//   by answering its check, goes to another one only by the same proof: a request with a forged source takes nothing away.
// Bounds: kMaxAddresses per viewer; the oldest goes, though never the one that media goes to.
// Threads: one owner.
#pragma once

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/ice/endpoint.hpp"
#include "core/ice/viewer_id.hpp"

namespace mediacore::ice {

// A browser tries some pairs and stays with one; it comes from another port now and then.
inline constexpr std::size_t kMaxAddresses = 16;

class AddressBook {
 public:
  struct Change {
    bool news = false;       // the address is new to the viewer, or was nominated now, or is another one's
    bool moved = false;      // the viewer's destination is this address now
    ViewerId displaced = 0;  // this viewer's destination it was; that one has none now
  };

  // An authentic request of the viewer came from there.
  Change heard_request(ViewerId viewer, const Endpoint& from, bool nominates);
  // The answer to a check of ours came from there.
  Change heard_success(ViewerId viewer, const Endpoint& from);

  // 0: nobody's.
  ViewerId owner(const Endpoint& from) const;
  std::optional<Endpoint> destination(ViewerId viewer) const;

  void erase_viewer(ViewerId viewer);
  // The socket is gone, and with it all that was heard on it.
  void erase_socket(ViewerId viewer, std::uint16_t socket);

 private:
  struct Address {
    ViewerId viewer;
    bool valid = false;
    bool nominated = false;
  };
  struct Viewer {
    std::vector<Endpoint> addresses;  // the oldest first
    std::optional<Endpoint> destination;
  };

  Address& take(ViewerId viewer, const Endpoint& from, Change& change);
  void settle(const Address& address, const Endpoint& at, Change& change);

  std::unordered_map<Endpoint, Address, EndpointHash> by_endpoint_;
  std::unordered_map<ViewerId, Viewer> viewers_;
};

}  // namespace mediacore::ice
