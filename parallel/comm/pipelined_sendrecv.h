// Moves chunks of memory to one rank and from another at once, cut into messages of a fixed size of
// which a few are on their way at any time: the work on a message that has arrived (an addition)
// overlaps the transfer of the next ones, and the memory for them is small.
#pragma once

#include <functional>
#include <vector>

#include "parallel/comm/communicator.h"
#include "parallel/comm/transport.h"

namespace edt {

struct FlowLimits {
  std::size_t message_bytes = 256 << 10;
  std::size_t window = 4;  // messages on their way in each direction
};

// What threads that wait in a collective do meanwhile, now and then: whoever has made it watches
// for something else. Set before they wait.
struct WaitHook {
  std::function<void()> look;
};

using Chunk = std::span<std::byte>;

// One direction of a flow.
struct Transfer {
  int peer = -1;  // none: nothing travels
  std::vector<Chunk> chunks;
  Wire wire = Wire::kExact;  // others have fewer bytes on the wire, and need a codec
  // Between a part of a chunk and its form on the wire: encodes when sending, decodes when
  // receiving. Empty: messages leave from, or arrive in, the chunks themselves.
  std::function<void(Chunk memory, Chunk wire)> codec;

  bool empty() const { return peer < 0 || chunks.empty(); }
};

// What arrives from several ranks for the same memory.
struct Fold {
  std::vector<int> peers;
  Chunk memory;
  Wire wire = Wire::kExact;  // as of a transfer
  // A part of the memory, and what has arrived for it from each peer, in their order; may be
  // written over.
  std::function<void(Chunk memory, std::span<const Chunk> arrived)> combine;
};

// The messages of one collective.
class PipelinedSendRecv {
 public:
  // `scratch` is kept by the caller from one collective to the next; `hook` may be none.
  PipelinedSendRecv(Transport& transport, std::string_view communicator, const Collective& call,
                    Seconds timeout, int tag, const FlowLimits& limits,
                    std::vector<std::byte>& scratch, const WaitHook* hook);

  void run(Transfer outgoing, Transfer incoming);
  void send(int to, Chunk bytes) { run({to, {bytes}}, {}); }
  void receive(int from, Chunk bytes) { run({}, {from, {bytes}}); }
  // Several at once. Messages are smaller, so that all of them need the scratch of a run().
  void run_all(std::vector<Transfer> outgoing, std::vector<Transfer> incoming);
  // Of outgoing transfers there are as many as peers that give.
  void run_fold(std::vector<Transfer> outgoing, Fold incoming);
  // Every chunk goes on to `to` as it arrives; from -1: it is here already.
  void relay(int from, std::span<const int> to, Chunk bytes);

 private:
  class Way;
  class OneWay;
  class FoldIn;

  using Pending = std::unique_ptr<Message>;
  // What is waited for, and from or to whom.
  struct Waiting {
    std::vector<Message*> messages;
    std::vector<int> peers;
    void add(Message* message, int peer);
  };
  // Until all of them are done.
  void drive(std::span<Way* const> ways);
  std::size_t message_bytes(std::size_t peers) const;
  // `count` times a window of messages; what a collective has used before is not there any more.
  Chunk take_scratch(std::size_t count, std::size_t message);
  // Throws CommunicationError, with the name of the collective and of the peers, on failure.
  void wait_any(std::span<Message* const> messages, std::span<const int> peers);
  void wait(Pending& message, int peer);
  [[noreturn]] void fail_with(const std::string& reason) const;

  Transport& transport_;
  std::string_view communicator_;
  const Collective& call_;
  Seconds timeout_;
  int tag_;
  FlowLimits limits_;
  std::vector<std::byte>& scratch_;
  const WaitHook* hook_;
};

}  // namespace edt
