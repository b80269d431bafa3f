#include "parallel/comm/mpi/plain_collectives.h"

#include <vector>

#include "parallel/comm/mpi/mpi_check.h"

namespace edt {
namespace {

MPI_Datatype type_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return MPI_FLOAT;
    case DType::kFloat64:
      return MPI_DOUBLE;
    case DType::kInt32:
      return MPI_INT32_T;
    case DType::kBFloat16:
      break;
  }
  throw TransportError(fmt::format("MPI has no type for {}", name_of(dtype)));
}

class OwnCollectives final : public PlainCollectives {
 public:
  explicit OwnCollectives(MPI_Comm comm) : group_(comm) {
    check_mpi(MPI_Comm_size(comm, &size_), "MPI_Comm_size");
  }

  void barrier() override { check_mpi(MPI_Barrier(group_.get()), "MPI_Barrier"); }
  void broadcast(const Tensor& tensor) override {
    check_mpi(MPI_Bcast(tensor.data, count(tensor), type_of(tensor.dtype), 0, group_.get()),
              "MPI_Bcast");
  }
  void all_reduce(const Tensor& tensor) override {
    check_mpi(MPI_Allreduce(MPI_IN_PLACE, tensor.data, count(tensor), type_of(tensor.dtype),
                            MPI_SUM, group_.get()),
              "MPI_Allreduce");
  }
  void reduce_scatter(const Tensor& whole, const Tensor& part) override {
    cut(whole);
    check_mpi(MPI_Reduce_scatter(whole.data, part.data, counts_.data(), type_of(whole.dtype),
                                 MPI_SUM, group_.get()),
              "MPI_Reduce_scatter");
  }
  void all_gather(const Tensor& whole) override {
    cut(whole);
    check_mpi(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, whole.data, counts_.data(),
                             offsets_.data(), type_of(whole.dtype), group_.get()),
              "MPI_Allgatherv");
  }

 private:
  static int count(const Tensor& tensor) { return static_cast<int>(tensor.elements()); }

  void cut(const Tensor& whole) {
    counts_.clear();
    offsets_.clear();
    for (std::int64_t r = 0; r < size_; ++r) {
      const std::int64_t begin = whole.elements() * r / size_;
      offsets_.push_back(static_cast<int>(begin));
      counts_.push_back(static_cast<int>(whole.elements() * (r + 1) / size_ - begin));
    }
  }

  MpiGroup group_;
  int size_ = 1;
  std::vector<int> counts_, offsets_;
};

}  // namespace

std::unique_ptr<PlainCollectives> make_plain_collectives() {
  int initialized = 0;
  check_mpi(MPI_Initialized(&initialized), "MPI_Initialized");
  if (!initialized) return nullptr;
  MPI_Comm copy = MPI_COMM_NULL;
  check_mpi(MPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup");
  return std::make_unique<OwnCollectives>(copy);
}

}  // namespace edt
