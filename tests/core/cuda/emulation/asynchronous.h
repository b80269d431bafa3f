// What sm_90 does behind a thread's back: products of warpgroups, boxes on their way into shared
// memory, and barriers with phases. emulation.h includes it: it stands in for
// warpgroup_instructions.cuh and box_copy.cuh.
//
// Everything happens as late as it may. A product reads its operands, and changes its accumulators,
// when it is waited for; a box is read and arrives when no thread can go on without it (in the
// orders that go backward as soon as it is asked for). So a wait that is missing, or memory and
// registers that are used too early, give other values. Fences that the manual asks for and that
// would change nothing here end the program where they are missing.
#pragma once

#include <cuda.h>

#include <cstdint>
#include <functional>
#include <vector>

namespace edt::emulation {

struct AsyncProduct {
  float (*c)[4];
  const unsigned* a;
  std::uint64_t b;
  int columns;
  bool by_columns, add;
};

// Of a thread.
struct Asynchronous {
  std::vector<AsyncProduct> products;  // under way
  std::size_t committed = 0;           // of these
  // Since the last group of products: the manual asks for a fence where registers have been used
  // in between.
  bool is_fenced = false;
  std::uint64_t asked = 0;  // a digest of all products: warps of a group have the same
};
Asynchronous& asynchronous();  // of the fiber that runs

void ask_for_product(const AsyncProduct& product);
void finish_products();

// A block begins.
void forget_barriers();
// The fiber goes on when `holds`.
void wait_until(const std::function<bool()>& holds);
// Does the oldest copy of a box that is under way; false: there is none.
bool deliver_box();
bool boxes_arrive_at_once();

// Makes `map` describe what cuTensorMapEncodeTiled is asked for; false: which its manual forbids.
bool encode_map(CUtensorMap& map, const void* base, const cuuint64_t (&sizes)[2],
                cuuint64_t stride_bytes, const cuuint32_t (&box)[2], CUtensorMapSwizzle swizzle);

}  // namespace edt::emulation

namespace edt {

unsigned shared_address(const void* p);

inline void fence_registers() { emulation::asynchronous().is_fenced = true; }
inline void commit_products() {
  emulation::Asynchronous& own = emulation::asynchronous();
  own.committed = own.products.size();
  own.is_fenced = false;
}
template <class... Accumulators>
void wait_for_products(Accumulators&...) {
  emulation::finish_products();
}
template <int N, bool kByColumns>
void multiply_async(float (*c)[4], const unsigned (&a)[4], std::uint64_t b, bool add) {
  static_assert(N == 64 || N == 32 || N == 16);
  emulation::ask_for_product({c, a, b, N, kByColumns, add});
}

using Barrier = std::uint64_t;
void make_barrier(Barrier* barrier, unsigned arrivals);
void publish_barriers();
void expect_bytes(Barrier* barrier, unsigned bytes);
void wait_for_phase(Barrier* barrier, unsigned parity);
void copy_box(void* to, const CUtensorMap& map, int column, int row, Barrier* barrier);

}  // namespace edt
