// SPDX-License-Identifier: MIT
/* Requests of the port in flight. A job is a request that was submitted and has not completed:
 *
 *   free -> in the backlog        submit
 *   backlog -> only in flight     all its pieces are issued, or one has failed
 *   in flight -> completed        the last piece is back; the request waits for a reap
 *
 * The backlog is served in the order of submission, so nothing starves, and whatever is in it
 * follows from something in flight: a completion makes room, and each reap issues what fits. */
#include <string.h>

#include "base/check.h"
#include "block/virtio_blk_internal.h"
#include "virtio/virtio_wait.h"

/* Reading the clock costs as much as the rest of a request's books, so it is read only by those who
 * found nothing: the first of them says when to look after the device, and that look gives each
 * piece its deadline. A piece is thus overdue up to 2 * VIRTIO_REKICK_US later than it might be. */
#define NO_LOOK_YET ((struct deadline){.at_us = 0})

void virtio_blk_jobs_init(struct virtio_blk *blk)
{
	for (uint16_t i = 0; i < blk->depth; i++) {
		const uint16_t next = (uint16_t)(i + 1u < blk->depth ? i + 1u : VIRTIO_BLK_NONE);
		blk->jobs[i] = (struct virtio_blk_job){.next = next};
		blk->pieces[i] = (struct virtio_blk_piece){.next = next};
	}
	memset(blk->page_taken, 0, blk->data_pages * sizeof(blk->page_taken[0]));
	blk->job_free = 0;
	blk->piece_free = 0;
	blk->backlog_first = VIRTIO_BLK_NONE;
	blk->backlog_last = VIRTIO_BLK_NONE;
	blk->free_pages = blk->data_pages;
}

/* The request is the submitter's again, once it is reaped. */
static void job_complete(struct virtio_blk *blk, struct virtio_blk_job *job)
{
	struct block_request *request = job->request;
	if (job->status != STATUS_OK && job->work.type == VIRTIO_BLK_T_IN &&
	    !job->work.is_in_place) {
		memset(job->work.bytes, 0, job->work.count.n * BLOCK_BYTES);
	}
	request->status = job->status;
	request->next = NULL;
	if (blk->completed_last == NULL) {
		blk->completed_first = request;
	} else {
		blk->completed_last->next = request;
	}
	blk->completed_last = request;
	job->request = NULL;
	job->next = blk->job_free;
	blk->job_free = (uint16_t)(job - blk->jobs);
	blk->jobs_out--;
}

static void backlog_push(struct virtio_blk *blk, uint16_t job)
{
	blk->jobs[job].next = VIRTIO_BLK_NONE;
	if (blk->backlog_last == VIRTIO_BLK_NONE) {
		blk->backlog_first = job;
	} else {
		blk->jobs[blk->backlog_last].next = job;
	}
	blk->backlog_last = job;
}

static void backlog_pop(struct virtio_blk *blk)
{
	blk->backlog_first = blk->jobs[blk->backlog_first].next;
	if (blk->backlog_first == VIRTIO_BLK_NONE) {
		blk->backlog_last = VIRTIO_BLK_NONE;
	}
}

/* Issue what there is room for. A job of which a piece failed issues no more. */
static enum status backlog_issue(struct virtio_blk *blk)
{
	while (blk->backlog_first != VIRTIO_BLK_NONE) {
		struct virtio_blk_job *job = &blk->jobs[blk->backlog_first];
		while (!job->issued && job->status == STATUS_OK) {
			const enum status status = virtio_blk_piece_issue(blk, job);
			if (status == STATUS_AGAIN) {
				CHECK(blk->pieces_out > 0); /* An idle device has room for any. */
				return STATUS_OK;
			}
			if (status != STATUS_OK) {
				return status;
			}
		}
		backlog_pop(blk);
		job->issued = true;
		if (job->pieces_out == 0) {
			job_complete(blk, job);
		}
	}
	return STATUS_OK;
}

enum status virtio_blk_job_submit(struct virtio_blk *blk, const struct virtio_blk_work *work,
				  struct block_request *request)
{
	if (!blk->open) {
		return STATUS_BAD_HOST;
	}
	if (blk->jobs_out == blk->depth) {
		return STATUS_BUSY;
	}
	if (blk->jobs_out == 0) {
		blk->next_look = NO_LOOK_YET;
	}
	const uint16_t which = blk->job_free;
	struct virtio_blk_job *job = &blk->jobs[which];
	blk->job_free = job->next;
	blk->jobs_out++;
	*job = (struct virtio_blk_job){.request = request, .work = *work};
	backlog_push(blk, which);
	const enum status status = backlog_issue(blk);
	if (status != STATUS_OK) {
		/* Taken, and completed as everything that is in flight. */
		(void)virtio_blk_fail(blk, status);
	}
	return STATUS_OK;
}

void virtio_blk_kick(struct virtio_blk *blk)
{
	if (!blk->open) {
		return;
	}
	for (uint16_t i = 0; i < blk->queue_count; i++) {
		virtq_kick(&blk->queues[i]);
	}
	/* The next batch goes to another queue as a whole: one notification is enough for it. */
	blk->queue_now =
		(uint16_t)(blk->queue_now + 1u < blk->queue_count ? blk->queue_now + 1u : 0);
}

/* Take what the device has completed: at most what is in flight now. */
static enum status queue_reap(struct virtio_blk *blk, uint16_t queue)
{
	for (uint16_t left = blk->pieces_out; left > 0; left--) {
		struct virtio_blk_job *job = NULL;
		const enum status status = virtio_blk_piece_reap(blk, queue, &job);
		if (status == STATUS_AGAIN) {
			return STATUS_OK;
		}
		if (status != STATUS_OK) {
			return status;
		}
		if (job->issued && job->pieces_out == 0) {
			job_complete(blk, job);
		}
	}
	return STATUS_OK;
}

static enum status queues_reap(struct virtio_blk *blk)
{
	enum status status = STATUS_OK;
	for (uint16_t i = 0; i < blk->queue_count && status == STATUS_OK; i++) {
		status = queue_reap(blk, i);
	}
	if (status == STATUS_OK && blk->backlog_first != VIRTIO_BLK_NONE) {
		status = backlog_issue(blk);
		virtio_blk_kick(blk);
	}
	return status;
}

/* Now and then: is a piece overdue, is the device alive, was it told? Each piece has its own
 * deadline, so that a device that goes on with others cannot hold one back for ever. */
static enum status look_after(struct virtio_blk *blk)
{
	const struct clock *clock = blk->device.clock;
	if (blk->next_look.at_us == NO_LOOK_YET.at_us) {
		blk->next_look = clock_deadline_after(clock, VIRTIO_REKICK_US);
	}
	if (!clock_deadline_passed(clock, blk->next_look)) {
		return STATUS_OK;
	}
	for (uint16_t i = 0; i < blk->depth; i++) {
		struct virtio_blk_piece *piece = &blk->pieces[i];
		if (piece->job == NULL) {
			continue;
		}
		if (piece->deadline.at_us == NO_LOOK_YET.at_us) {
			piece->deadline = clock_deadline_after(clock, blk->request_timeout_us);
		} else if (clock_deadline_passed(clock, piece->deadline)) {
			return STATUS_TIMEOUT;
		}
	}
	if (blk->progressed) {
		blk->progressed = false;
		blk->next_look = clock_deadline_after(clock, VIRTIO_REKICK_US);
		return STATUS_OK;
	}
	return virtio_device_look_after(&blk->device, &blk->next_look, blk->queues,
					blk->queue_count);
}

static struct block_request *completed_take(struct virtio_blk *blk)
{
	struct block_request *request = blk->completed_first;
	if (request != NULL) {
		blk->completed_first = request->next;
		if (blk->completed_first == NULL) {
			blk->completed_last = NULL;
		}
		request->next = NULL;
	}
	return request;
}

/* One look at everything that may have completed. */
static void progress_take(struct virtio_blk *blk)
{
	enum status status = queues_reap(blk);
	if (status == STATUS_OK && blk->completed_first == NULL) {
		status = look_after(blk);
	}
	if (status != STATUS_OK) {
		(void)virtio_blk_fail(blk, status); /* Completes all. */
	}
}

/* Something is in flight, and each turn either completes something or comes closer to a deadline.
 */
static void completion_wait(struct virtio_blk *blk)
{
	struct virtio_wait wait;
	virtio_wait_begin(&wait, blk->device.transport->wait_policy, blk->device.clock);
	while (blk->completed_first == NULL) {
		virtio_wait_turn(&wait, blk->device.transport, blk->queues, blk->queue_count,
				 blk->next_look);
		progress_take(blk);
	}
	/* A device that was given up has no queues any more. */
	virtio_wait_end(&wait, blk->queues, blk->open ? blk->queue_count : 0);
}

enum status virtio_blk_reap(struct virtio_blk *blk, bool wait, struct block_request **completed)
{
	if (blk->completed_first == NULL && blk->jobs_out > 0) {
		progress_take(blk);
		if (wait && blk->completed_first == NULL) {
			completion_wait(blk);
		}
	}
	struct block_request *request = completed_take(blk);
	if (request == NULL) {
		return STATUS_AGAIN;
	}
	*completed = request;
	return STATUS_OK;
}

void virtio_blk_jobs_fail(struct virtio_blk *blk, enum status cause)
{
	for (uint16_t i = 0; i < blk->depth; i++) {
		struct virtio_blk_job *job = &blk->jobs[i];
		blk->pieces[i].job = NULL;
		if (job->request != NULL) {
			/* A cause that a piece reported before is as good. */
			job->status = job->status == STATUS_OK ? cause : job->status;
			job_complete(blk, job);
		}
	}
	blk->pieces_out = 0;
	blk->backlog_first = VIRTIO_BLK_NONE;
	blk->backlog_last = VIRTIO_BLK_NONE;
}
