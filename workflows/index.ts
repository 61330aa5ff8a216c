/** The registered workflows, which `--workflow Name` and `list` find. */
export { OfferWorkFlow } from './offer/offer-workflow.js';
