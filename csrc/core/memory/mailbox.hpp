// One token between one producer and one consumer, lock-free: the latest wins.
//
// Guarantees: no call waits; one exchange each. Every token that was pushed comes out once: from `pop`, or from the `push`
//   that replaced it. What was written before a push is seen by whoever gets its token.
// Memory: none. Threads: any (with several producers, one of them is the latest).
#pragma once

#include <cstddef>

#include "core/memory/atomics.hpp"

namespace mediacore::memory {

template <class A>
class BasicMailbox {
 public:
  // Takes the token, which is not kNoToken; returns the one that nobody has taken, or kNoToken.
  Token push(Token token) { return token_.exchange(token, A::kSwap); }

  // kNoToken if there is none. An empty box is only looked at: its line stays with the producer.
  Token pop() { return token_.load(A::kPlain) == kNoToken ? kNoToken : token_.exchange(kNoToken, A::kSwap); }

  std::size_t size() const { return token_.load(A::kPlain) == kNoToken ? 0 : 1; }

 private:
  alignas(kCacheLine) typename A::template Atomic<Token> token_{kNoToken};
};

using Mailbox = BasicMailbox<Atomics>;

}  // namespace mediacore::memory
