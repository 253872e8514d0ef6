"""What somebody who answers for a dataset needs: documents, approvals, withdrawals, erasure, differences."""
