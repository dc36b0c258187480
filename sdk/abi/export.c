/* SPDX-License-Identifier: Apache-2.0
 *
 * One function whose parameters reach every struct of the binary contract, so that abidw and abidiff see them all. It
 * is compiled against a header, today's or a frozen one, and never linked to anything.
 */
#include <tapewatch/plugin.h>

TW_EXPORT tw_plugin_fn *tw_abi(struct tw_event *, struct tw_batch *, struct tw_option *, struct tw_list *,
			       union tw_num *, struct tw_finding *, struct tw_ctx *, struct tw_stream *,
			       struct tw_detector *, struct tw_source *, struct tw_sink *, struct tw_manifest *);

tw_plugin_fn *tw_abi(struct tw_event *ev, struct tw_batch *batch, struct tw_option *option, struct tw_list *list,
		     union tw_num *num, struct tw_finding *finding, struct tw_ctx *ctx, struct tw_stream *stream,
		     struct tw_detector *detector, struct tw_source *source, struct tw_sink *sink,
		     struct tw_manifest *manifest)
{
	(void)ev, (void)batch, (void)option, (void)list, (void)num, (void)finding, (void)ctx, (void)stream;
	(void)detector, (void)source, (void)sink, (void)manifest;
	return NULL;
}
