// What the tape needs of a backend: memory, and the elementary operations on gradients.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "core/tensor/memory.h"
#include "core/tensor/tensor.h"

namespace edt {

// A point in a device's order of work: what was asked for before it. Empty on devices that have
// done their work when a call returns.
class Event {
 public:
  struct Point {
    virtual ~Point() = default;
  };
  Event() = default;
  explicit Event(std::shared_ptr<Point> point) : point_(std::move(point)) {}
  Point* point() const { return point_.get(); }

 private:
  std::shared_ptr<Point> point_;
};

// What a device was asked for while it was captured: the same kernels on the same memory with the
// same numbers, asked for again as a whole.
class Graph {
 public:
  virtual ~Graph() = default;
  virtual void replay() = 0;
  // False when memory that the kernels use is gone: it must not be replayed any more.
  virtual bool valid() const = 0;
};

class Device {
 public:
  virtual ~Device() = default;

  virtual std::string_view name() const = 0;
  virtual Memory& memory() = 0;

  virtual void zero(const Tensor& tensor) = 0;
  // Fills with one value, rounded to the tensor's dtype.
  virtual void fill(const Tensor& tensor, double value) = 0;
  // to = from, converting between floating-point dtypes; equal element counts.
  virtual void copy(const Tensor& from, const Tensor& to) = 0;
  // to += from; equal shapes and dtypes.
  virtual void add_into(const Tensor& from, const Tensor& to) = 0;

  // sums[0] += (sums[1] + (... + (sums.back() + last))), all float32 of equal size: the additions
  // that the last leaf of a tree triggers, in one pass over memory.
  virtual void fold(std::span<const Tensor> sums, const Tensor& last);

  // All of a tensor's bytes from and to host memory. Both are complete when they return.
  virtual void upload(const void* host, const Tensor& to) {
    std::memcpy(to.data, host, to.bytes());
  }
  virtual void download(const Tensor& from, void* host) {
    std::memcpy(host, from.data, from.bytes());
  }
  // As upload(), in the order of work: `host`, memory of staging(), stays as it is until then.
  virtual void send(const void* host, const Tensor& to) { upload(host, to); }
  // Host floats, converted to the tensor's floating-point dtype.
  void upload_floats(std::span<const float> host, const Tensor& to);

  // False: host code must not touch what memory() gives.
  virtual bool in_host_memory() const { return true; }
  // Host memory that upload and download work with fastest.
  virtual Memory& staging() { return host_memory(); }

  // Waits until everything asked for so far has been done.
  virtual void synchronize() {}

  // Seconds that `work` takes where the device has nothing else to do: by a GPU's own clock,
  // without what the host takes to ask for it. Waits for the device.
  virtual double seconds_of(const std::function<void()>& work);

  // Another order of work on the same memory, for what overlaps with this one's; nullptr: there is
  // none, calls are done when they return. Must not outlive the device.
  virtual std::unique_ptr<Device> new_stream() { return nullptr; }
  // What is asked for from now on begins after `event` of this device or of another stream.
  virtual Event record() { return {}; }
  virtual void wait(const Event&) {}
  // Waits until the event has come.
  virtual void finish(const Event&) {}

  // Runs `work` and keeps what it asks the device for; nullptr: this device keeps nothing. The work
  // neither waits for the device nor takes memory, so it has run before, with the same sizes.
  virtual std::unique_ptr<Graph> capture(const std::function<void()>& work) {
    work();
    return nullptr;
  }
  // Something for the host to do in the midst of captured work, that a replay does again at the
  // same place. Not part of what is captured: it may wait, and ask other streams.
  virtual void host_step(std::function<void()> step) { step(); }
};

}  // namespace edt
