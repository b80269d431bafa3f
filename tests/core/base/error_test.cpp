#include "core/base/error.h"

#include <gtest/gtest.h>

#include "core/base/profiler.h"

namespace edt {
namespace {

TEST(Error, SaysWhereAndWhat) {
  try {
    fail<DataError>("shard", "{} samples, {} labels", 3, 4);
  } catch (const DataError& error) {
    EXPECT_STREQ(error.what(), "[shard] 3 samples, 4 labels");
  }
  EXPECT_THROW(fail<NotImplemented>("a", "b"), NotImplemented);
}

TEST(Error, RequireThrowsOnlyWhenFalse) {
  EXPECT_NO_THROW(require(true, "a", "b"));
  EXPECT_THROW(require<UsageError>(false, "a", "b"), UsageError);
}

TEST(Profiler, SeparatesRecomputedFlops) {
  Profiler profiler;
  { Profiler::Scope scope(profiler, "linear", 10); }
  profiler.set_recomputing(true);
  { Profiler::Scope scope(profiler, "linear", 10); }
  profiler.set_recomputing(false);
  { Profiler::Scope scope(profiler, "mlp", 5); }
  ASSERT_EQ(profiler.entries().size(), 2u);
  EXPECT_EQ(profiler.entries()[0].calls, 2);
  EXPECT_EQ(profiler.total_flops(), 15);
  EXPECT_EQ(profiler.total_recompute_flops(), 10);
  profiler.reset();
  EXPECT_EQ(profiler.total_flops(), 0);
  EXPECT_EQ(profiler.entries().size(), 2u);
}

}  // namespace
}  // namespace edt
