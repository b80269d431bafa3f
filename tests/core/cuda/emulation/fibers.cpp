#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <cstdio>
#include <memory>
#include <set>
#include <vector>

#include "tests/core/cuda/emulation/device_memory.h"
#include "tests/core/cuda/emulation/emulation.h"
#include "tests/core/cuda/emulation/runtime.h"

namespace edt::emulation {
namespace {

constexpr std::size_t kStackBytes = 128 * 1024;

// Released when all threads that have not returned have arrived.
struct Barrier {
  int alive = 0, arrived = 0, generation = 0;

  void check() {
    if (alive > 0 && arrived == alive) {
      arrived = 0;
      ++generation;
    }
  }
};

struct Copy {
  void* to;
  const void* from;
  bool wanted;
};

struct Fiber {
  boost::context::fiber point;  // where it goes on
  Barrier* waits = nullptr;
  int generation = 0;
  unsigned turn = 0;  // of its warp's exchanges
  bool done = false;
  bool waited = false;  // for earlier kernels
  std::vector<Copy> copies;
  const std::function<bool()>* until = nullptr;  // it waits for
  Asynchronous asynchronous;

  bool runnable() const {
    return !done && (waits == nullptr || waits->generation != generation) &&
           (until == nullptr || (*until)());
  }
};

struct Warp {
  Barrier barrier;
  Exchange exchanges[2];
};

Order order = Order::kForward;
std::vector<std::unique_ptr<Fiber>> fibers;
std::vector<Warp> warps;
Barrier block;
boost::context::fiber scheduler;
const std::function<void()>* body = nullptr;
const char* kernel_name = "";
std::size_t current = 0;
Begins begins = Begins::kBehindEarlierKernels;
Barrier early;           // the threads of a block that have waited for earlier kernels
bool is_closed = false;  // until all have, there is no memory
alignas(1024) unsigned char dynamic_memory[227 * 1024];

void end_thread() {
  Fiber& fiber = *fibers[current];
  fiber.done = true;
  if (!fiber.copies.empty()) fail("a thread ended with copies under way");
  if (begins == Begins::kBeforeTheyEnd && !fiber.waited) {
    fail("a thread ended that has not waited for earlier kernels");
  }
  if (!fiber.asynchronous.products.empty()) fail("a thread ended with products under way");
  if (!fiber.asynchronous.unpublished.empty()) fail("a thread ended with unpublished stores");
  for (Barrier* barrier : {&block, &warps[current / 32].barrier}) {
    --barrier->alive;
    barrier->check();
  }
}

// One thread of a block after the other: a fiber is made once.
boost::context::fiber run_threads(boost::context::fiber&& from) {
  scheduler = std::move(from);
  for (;;) {
    (*body)();
    end_thread();
    scheduler = std::move(scheduler).resume();
  }
}

void wait(Barrier& barrier) {
  Fiber& fiber = *fibers[current];
  fiber.waits = &barrier;
  fiber.generation = barrier.generation;
  ++barrier.arrived;
  barrier.check();
  if (!fiber.runnable()) scheduler = std::move(scheduler).resume();
  fiber.waits = nullptr;
}

void start(std::size_t threads) {
  while (fibers.size() < threads) {
    fibers.push_back(std::make_unique<Fiber>());
    fibers.back()->point = boost::context::fiber(
        std::allocator_arg, boost::context::fixedsize_stack(kStackBytes), run_threads);
  }
  warps.resize((threads + 31) / 32);
  for (Warp& warp : warps) warp.barrier = {};
  block = {.alive = static_cast<int>(threads)};
  for (std::size_t i = 0; i < threads; ++i) {
    Fiber& fiber = *fibers[i];
    fiber.waits = nullptr;
    fiber.turn = 0;
    fiber.done = false;
    fiber.waited = false;
    fiber.asynchronous = {};
    ++warps[i / 32].barrier.alive;
  }
}

bool is_backward() { return order == Order::kBackward || order == Order::kWarpsBackward; }
bool runs_warps_ahead() { return order == Order::kWarpsForward || order == Order::kWarpsBackward; }

// Each of these threads runs until it waits or has ended. False: all of them wait or have ended.
bool advance(std::size_t first, std::size_t count) {
  bool moved = false;
  for (std::size_t step = 0; step < count; ++step) {
    current = first + (is_backward() ? count - 1 - step : step);
    Fiber& fiber = *fibers[current];
    if (!fiber.runnable()) continue;
    moved = true;
    place.thread.x = static_cast<unsigned>(current);
    fiber.point = std::move(fiber.point).resume();
  }
  return moved;
}

// One warp after the other, each as far as it comes.
bool advance_warps(std::size_t threads) {
  bool moved = false;
  for (std::size_t step = 0; step < warps.size(); ++step) {
    const std::size_t first = 32 * (is_backward() ? warps.size() - 1 - step : step);
    while (advance(first, std::min<std::size_t>(32, threads - first))) moved = true;
  }
  return moved;
}

// Opening and closing memory takes long, so each kernel is looked at once, in its first block.
bool is_to_be_closed(const void* kernel) {
  static std::set<const void*> seen;
  return begins == Begins::kBeforeTheyEnd && can_close_memory() &&
         (kernel == nullptr || seen.insert(kernel).second);
}

void run_block(std::size_t threads, int shared_bytes) {
  start(threads);
  early = {.alive = static_cast<int>(threads)};
  forget_block(static_cast<std::size_t>(shared_bytes));
  std::memset(dynamic_memory, 0xff, static_cast<std::size_t>(shared_bytes));  // NaN until written
  while (block.alive > 0) {
    if (!(runs_warps_ahead() ? advance_warps(threads) : advance(0, threads)) && !deliver_box())
      fail("threads wait at a barrier that the others do not reach");
  }
  if (deliver_box()) fail("a block ended with boxes under way");
  for (std::size_t i = 0; i < threads; ++i) {
    if (fibers[i]->asynchronous.asked != fibers[i / 128 * 128]->asynchronous.asked) {
      fail("warps of a group asked for different products");
    }
  }
}

}  // namespace

Place place;

void set_order(Order wanted) { order = wanted; }

void fail(const char* what) {
  std::fprintf(stderr, "emulation of %s, block (%u, %u, %u), thread %u: %s\n", kernel_name,
               place.block.x, place.block.y, place.block.z, place.thread.x, what);
  std::abort();
}

void run(const LaunchShape& shape, const void* kernel, const std::function<void()>& kernel_body,
         Begins when) {
  if (shape.blocks.x == 0 || shape.blocks.y == 0 || shape.blocks.z == 0) return;
  kernel_name = shape.name;
  begins = when;
  allow_shared_memory(kernel, shape.shared, shape.name);
  if (shape.shared > allowed_shared_memory(kernel)) fail("more shared memory than was asked for");
  if (shape.threads < 1 || shape.threads > 1024) fail("threads of a block");
  if (shape.blocks.y > 65535 || shape.blocks.z > 65535) fail("blocks of the grid");
  body = &kernel_body;
  place.threads = dim3(static_cast<unsigned>(shape.threads));
  place.blocks = shape.blocks;
  place.thread = {0, 0, 0};
  is_closed = is_to_be_closed(kernel);
  if (is_closed) open_to_early_threads(false);
  for (unsigned z = 0; z < shape.blocks.z; ++z) {
    for (unsigned y = 0; y < shape.blocks.y; ++y) {
      for (unsigned x = 0; x < shape.blocks.x; ++x) {
        place.block = {x, y, z};
        run_block(static_cast<std::size_t>(shape.threads), shape.shared);
      }
    }
  }
  pass_time(seconds_of_launches(shape.name));
}

void run_missed_barrier() {
  run({nullptr, "a missed barrier", dim3(1), 32}, nullptr, [] {
    if (place.thread.x == 0) {
      block_barrier();
    } else {
      warp_barrier();
    }
  });
}

void run_early_kernel(const int* memory, bool waits) {
  run(
      {nullptr, "an early kernel", dim3(1), 32}, nullptr,
      [=] {
        if (memory != nullptr) static_cast<void>(*static_cast<const volatile int*>(memory));
        if (waits || place.thread.x != 3) wait_for_earlier_kernels();
      },
      Begins::kBeforeTheyEnd);
}

void wait_for_earlier_kernels() {
  fibers[current]->waited = true;
  if (!is_closed) return;
  wait(early);
  if (!is_closed) return;  // the last that came has opened it
  is_closed = false;
  open_to_early_threads(true);
}

Asynchronous& asynchronous() { return fibers[current]->asynchronous; }
bool boxes_arrive_at_once() { return is_backward(); }

void wait_until(const std::function<bool()>& holds) {
  Fiber& fiber = *fibers[current];
  fiber.until = &holds;
  if (!fiber.runnable()) scheduler = std::move(scheduler).resume();
  fiber.until = nullptr;
}

unsigned char* shared_memory() { return dynamic_memory; }
void block_barrier() { wait(block); }
void warp_barrier() { wait(warps[current / 32].barrier); }

// Whoever writes for the third time has passed the second barrier, where all were done with reading
// what was written first: two in turn need one barrier each.
Exchange& next_exchange() { return warps[current / 32].exchanges[fibers[current]->turn++ % 2]; }

// The bytes arrive as late as the hardware may deliver them.
void defer_copy(void* to, const void* from, bool wanted) {
  if (reinterpret_cast<std::uintptr_t>(to) % 8 != 0 ||
      reinterpret_cast<std::uintptr_t>(from) % 8 != 0) {
    fail("a copy of 8 bytes that is not aligned to them");
  }
  fibers[current]->copies.push_back({to, from, wanted});
}

void finish_copies() {
  for (const Copy& copy : fibers[current]->copies) {
    if (copy.wanted) {
      std::memcpy(copy.to, copy.from, 8);
    } else {
      std::memset(copy.to, 0, 8);
    }
  }
  fibers[current]->copies.clear();
}

}  // namespace edt::emulation
