// SPDX-License-Identifier: MIT
/* What contracts mean by a text: characters up to a zero, all of which may be read. */
#pragma once

/*@ axiomatic Text {
      // Of a text; of anything else it says nothing.
      logic integer text_length{L}(char *text) reads text[0 ..];
    }
    predicate is_text(char *text) =
      0 <= text_length(text) < 0x7fffffff && \valid_read(text + (0 .. text_length(text))) &&
      (\forall integer k; 0 <= k < text_length(text) ==> text[k] != 0) &&
      text[text_length(text)] == 0; */
