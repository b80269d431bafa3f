// Point-to-point messages between ranks: all that a way of communicating has to provide. The
// collectives above (P2pCommunicator) are written once.
//
// Messages between two ranks with one tag arrive in the order they were sent. A message that is
// destroyed before it is complete is withdrawn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "core/base/clock.h"

namespace edt {

// Why a message failed; the communicator adds which collective that was.
class TransportError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Message {
 public:
  Message() = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  virtual ~Message() = default;
};

class Transport {
 public:
  struct Envelope {
    int from;
    std::size_t bytes;
  };
  // Tags are 0..kMaxTag, as MPI guarantees.
  static constexpr int kMaxTag = 32767;

  virtual ~Transport() = default;

  virtual std::string_view name() const = 0;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual const std::string& host() const = 0;

  // The bytes stay in place until the message is complete. Both sides name the same size.
  virtual std::unique_ptr<Message> send(std::span<const std::byte> bytes, int to, int tag) = 0;
  virtual std::unique_ptr<Message> receive(std::span<std::byte> bytes, int from, int tag) = 0;

  virtual bool complete(Message& message) = 0;
  // Waits until one of `messages` is complete; false when `deadline` has passed before.
  virtual bool wait_any(std::span<Message* const> messages, Clock::time_point deadline) = 0;
  // Whether a message with that tag could be received, from any rank.
  virtual std::optional<Envelope> probe(int tag) = 0;

  // A transport of its own between `members` (ranks of this one, in their new order, this rank
  // among them). All members call it with the same `id`; an id is used once.
  virtual std::unique_ptr<Transport> split(std::span<const int> members, std::uint64_t id) = 0;

  // Ends all ranks of the job.
  [[noreturn]] virtual void abort(int status) = 0;
};

}  // namespace edt
