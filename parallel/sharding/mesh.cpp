#include "parallel/sharding/mesh.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/base/odd_part.h"
#include "parallel/sharding/shard_groups.h"
#include "parallel/sharding/sum_tree.h"

namespace edt {
namespace {

std::vector<std::int64_t> divisors(std::int64_t number) {
  std::vector<std::int64_t> found;
  for (std::int64_t i = 1; i <= number; ++i) {
    if (number % i == 0) found.push_back(i);
  }
  return found;
}

void check_tensor_ranks(const MeshRequest& request) {
  const auto& degrees = request.tensor_degrees;
  require<UsageError>(std::ranges::find(degrees, request.tensor_ranks) != degrees.end(), "mesh",
                      "{} cannot be cut over {} tensor ranks: its heads allow {}", request.model,
                      request.tensor_ranks, fmt::join(degrees, ", "));
  if (request.ranks % request.tensor_ranks == 0) return;
  std::vector<int> fitting;
  std::ranges::copy_if(degrees, std::back_inserter(fitting),
                       [&](int degree) { return request.ranks % degree == 0; });
  fail<UsageError>("mesh",
                   "{} ranks cannot be grouped by {} tensor ranks: start a multiple of {}, or set "
                   "{} for the number of tensor ranks",
                   request.ranks, request.tensor_ranks, request.tensor_ranks,
                   fmt::join(fitting, " or "));
}

// The largest micro-batch that would do; where no cut of the batch does, other batches.
std::string way_out(const MeshRequest& request) {
  const std::int64_t data = request.data_ranks(), batch = request.batch;
  if (batch == 0) return "";
  for (const std::int64_t size : micro_batch_sizes(batch, OddPart::of(data).odd)) {
    if (size > batch / request.micro_batches || batch / size % data != 0) continue;
    return fmt::format(", or micro-batches of {} image{}", size, size == 1 ? "" : "s");
  }
  // The micro-batches that were asked for may be too large for it.
  const std::int64_t present = batch / request.micro_batches;
  const auto near = batches_near(batch, request.data_ranks());
  std::vector<std::int64_t> fitting;
  std::ranges::copy_if(near, std::back_inserter(fitting),
                       [&](auto one) { return one % present == 0 && one / present % data == 0; });
  return fmt::format(", or a batch of {} images{}",
                     fmt::join(fitting.empty() ? near : fitting, " or "),
                     fitting.empty() ? " in smaller micro-batches" : "");
}

void check_data_ranks(const MeshRequest& request) {
  const std::int64_t data = request.data_ranks(), batches = request.micro_batches;
  if (batches % data == 0) return;
  const std::string many = data > batches
                               ? fmt::format("are more than the {} micro-batches", batches)
                               : fmt::format("cannot share {} micro-batches evenly", batches);
  fail<UsageError>("mesh", "{} data ranks ({} ranks, {} to a model) {}: {} would fit{}", data,
                   request.ranks, request.tensor_ranks, many, fmt::join(divisors(batches), ", "),
                   way_out(request));
}

void check_shard_ranks(const MeshRequest& request) {
  const std::vector<int> sizes = shard_group_sizes(request.data_ranks());
  const int asked = request.shard_ranks;
  require<UsageError>(asked == 0 || std::ranges::find(sizes, asked) != sizes.end(), "mesh",
                      "parallel.shard-ranks is {}, {} data ranks ({} ranks, {} to a model) can "
                      "share the state by {}: all of them, or a power of two that divides them",
                      asked, request.data_ranks(), request.ranks, request.tensor_ranks,
                      fmt::join(sizes, ", "));
}

}  // namespace

std::vector<std::int64_t> batches_near(std::int64_t batch, int data_ranks) {
  std::int64_t above = data_ranks;
  while (above < batch) above *= 2;
  if (above == data_ranks) return {above};
  return {above / 2, above};
}

void check_mesh(const MeshRequest& request) {
  EDT_ASSERT(request.ranks >= 1 && request.micro_batches >= 1);
  check_tensor_ranks(request);
  check_data_ranks(request);
  check_shard_ranks(request);
}

Mesh::Mesh(Communicator& world, int tensor_ranks) : world_(world) {
  EDT_ASSERT(tensor_ranks >= 1 && world.size() % tensor_ranks == 0);
  const int data_rank = world.rank() / tensor_ranks, tensor_rank = world.rank() % tensor_ranks;
  data_ = world.split(tensor_rank, data_rank, "data ranks");
  tensor_ = world.split(data_rank, tensor_rank, "tensor ranks");
}

std::string Mesh::text() const {
  return fmt::format("data {} x tensor {}", data_->size(), tensor_->size());
}

}  // namespace edt
