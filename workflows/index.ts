/** The registered workflows: what `--workflow Name` and `list` find. */
export { OfferWorkFlow } from './offer/offer-workflow.js';
